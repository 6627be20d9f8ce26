#!/bin/sh
# Installs cpvo-hook for this user from the collector that CPVO_URL names, where there is none.
# Written by `cpvo hooks-config --bootstrap`; .claude/CPVO.md says what it is for and how to turn it off.
# Runs when a session starts, in the background and silently; whatever goes wrong changes nothing.

case ${CPVO_DISABLE-} in '' | 0 | false | no | off) ;; *) exit 0 ;; esac
[ -n "$HOME" ] || exit 0
PATH=$PATH:$HOME/.local/bin:$HOME/.cargo/bin
command -v cpvo-hook >/dev/null 2>&1 && exit 0

# The only programs this repository trusts, by SHA-256.
case $(uname -s 2>/dev/null)-$(uname -m 2>/dev/null) in
Linux-x86_64)
    target=x86_64-unknown-linux-musl name=cpvo-hook
    sha256=0000000000000000000000000000000000000000000000000000000000000000
    ;;
*) exit 0 ;;
esac

case $CPVO_URL in
*@*) exit 0 ;;
https://*) scheme=https ;;
http://127.0.0.1:* | http://localhost:* | "http://[::1]:"*) scheme=http ;;
*) exit 0 ;;
esac

# A guest's machine stays as it is.
if [ -n "$CPVO_DEVELOPERS" ]; then
    email=$(printf %s "${CPVO_DEVELOPER:-$(git config user.email)}" | tr '[:upper:]' '[:lower:]')
    [ -n "$email" ] || exit 0
    case ,$(printf %s "$CPVO_DEVELOPERS" | tr '[:upper:]' '[:lower:]' | tr -d ' '), in
    *",$email,"* | *",@${email##*@},"*) ;;
    *) exit 0 ;;
    esac
fi

install() {
    folder=$HOME/.local/bin
    mkdir -p "$folder" && part=$(mktemp "$folder/.cpvo-hook.XXXXXX") || return
    trap 'rm -f "$part"' EXIT
    from=${CPVO_URL%/}/v1/hook/$target
    curl -fs --proto "=$scheme" --max-time 120 --max-filesize 67108864 -o "$part" "$from" ||
        wget -q -T 120 -O "$part" "$from" || return
    sum=$(sha256sum <"$part" || shasum -a 256 <"$part")
    [ "${sum%% *}" = "$sha256" ] && chmod 755 "$part" && "$part" --version && mv -f "$part" "$folder/$name"
}
(install &) </dev/null >/dev/null 2>&1
