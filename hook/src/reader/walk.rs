//! Which transcripts there are, each once: found through links and second names, told apart by what they are.

use meter::SessionId;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A file of lines, as it was when it was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Transcript {
    /// Without links, as far as that can be told.
    pub(crate) path: PathBuf,
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    /// Nanoseconds since 1970.
    pub(crate) modified: i64,
    /// Whose its folder is, or an event said it is.
    pub(crate) told: Option<SessionId>,
    pub(crate) subagent: bool,
}

impl Transcript {
    /// The session its place says it belongs to; older subagents and foreign names leave that to their lines.
    pub(crate) fn session(&self) -> Option<SessionId> {
        let named = || session_named(self.path.file_stem().filter(|_| !self.subagent));
        self.told.clone().or_else(named)
    }
}

/// The folders transcripts lie in: of every entry of `config_dirs` (a list parted by commas, or colons where a
/// path has none), else of both places the client has used.
pub(crate) fn roots(
    config_dirs: Option<&str>,
    xdg_config: Option<&str>,
    home: Option<&Path>,
) -> Vec<PathBuf> {
    if let Some(list) = config_dirs.filter(|list| !list.trim().is_empty()) {
        // a list is no folder, and a folder with a comma in its name is no list
        if Path::new(list).is_dir() {
            return vec![projects(Path::new(list))];
        }
        let parts = list.split([',', if cfg!(windows) { ';' } else { ':' }]);
        let entries = parts.map(str::trim).filter(|entry| !entry.is_empty());
        return entries.map(|entry| projects(Path::new(entry))).collect();
    }
    let config = match xdg_config.filter(|folder| !folder.is_empty()) {
        Some(folder) => Some(PathBuf::from(folder)),
        None => home.map(|home| home.join(".config")),
    };
    let places = [config.map(|config| config.join("claude")), home.map(|home| home.join(".claude"))];
    places.into_iter().flatten().map(|place| place.join("projects")).collect()
}

/// The `projects` folder of a configuration folder, which may be meant itself.
fn projects(entry: &Path) -> PathBuf {
    let inner = entry.join("projects");
    if entry.ends_with("projects") && !inner.is_dir() { entry.to_owned() } else { inner }
}

/// Every transcript under `roots`, and what could not be looked into.
pub(crate) fn find(roots: &[PathBuf]) -> (Vec<Transcript>, Vec<String>) {
    let mut walk = Walk::default();
    for root in roots {
        match fs::canonicalize(root) {
            Ok(folder) => walk.folders.push(folder),
            Err(error) => walk.trouble(root, &error),
        }
        while let Some(folder) = walk.folders.pop() {
            if let Err(error) = walk.folder(&folder) {
                walk.trouble(&folder, &error);
            }
        }
    }
    (walk.found, walk.troubles)
}

/// The transcripts of one session: the file at `path`, if it was ever written, and its subagents'.
pub(crate) fn session(path: &Path, session: &SessionId) -> Vec<Transcript> {
    let mut walk = Walk::default();
    // a file that cannot be looked at has nothing to tell
    let _ = walk.linked(path);
    for file in &mut walk.found {
        file.told = Some(session.clone());
    }
    let folder = path.with_file_name(session.as_str()).join("subagents");
    let (subagents, _) = find(&[folder]);
    walk.found.extend(subagents);
    walk.found
}

#[derive(Default)]
struct Walk {
    /// Yet to be looked into, without links.
    folders: Vec<PathBuf>,
    seen: HashSet<(u64, u64)>,
    found: Vec<Transcript>,
    troubles: Vec<String>,
}

impl Walk {
    /// Notes what cannot be read; what is not there has nothing to tell.
    fn trouble(&mut self, path: &Path, error: &io::Error) {
        if error.kind() != ErrorKind::NotFound {
            self.troubles.push(format!("cannot read {}: {error}", path.display()));
        }
    }

    fn folder(&mut self, folder: &Path) -> io::Result<()> {
        if !self.seen.insert(identity::of(folder, &fs::metadata(folder)?)) {
            return Ok(());
        }
        let of_session = session_named(folder.file_name()).is_some();
        let home = Home::of(folder);
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            // what cannot be looked at, such as a link to nowhere, is passed; its neighbours are not
            let Ok(kind) = entry.file_type() else { continue };
            let is_folder = if kind.is_symlink() { path.is_dir() } else { kind.is_dir() };
            let looked = if is_folder {
                // beside subagents a session keeps what its tools wrote, of whatever form
                if of_session && name != "subagents" {
                    continue;
                }
                let inner = if kind.is_symlink() { fs::canonicalize(&path) } else { Ok(path.clone()) };
                inner.map(|inner| self.folders.push(inner))
            } else if !is_transcript(&name) {
                continue;
            } else if kind.is_symlink() {
                self.linked(&path)
            } else {
                entry.metadata().map(|metadata| self.file(path.clone(), &metadata, &home))
            };
            if let Err(error) = looked {
                self.trouble(&path, &error);
            }
        }
        Ok(())
    }

    /// The file that links lead to from `path`.
    fn linked(&mut self, path: &Path) -> io::Result<()> {
        let path = fs::canonicalize(path)?;
        let (metadata, home) = (fs::metadata(&path)?, Home::of(path.parent().unwrap_or(&path)));
        self.file(path, &metadata, &home);
        Ok(())
    }

    fn file(&mut self, path: PathBuf, metadata: &Metadata, home: &Home) {
        let (device, inode) = identity::of(&path, metadata);
        if !metadata.is_file() || !self.seen.insert((device, inode)) {
            return;
        }
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let modified = modified.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0);
        let (told, subagent) = match home {
            Home::Subagents(session) => (session.clone(), true),
            Home::Elsewhere => (None, is_agent(&path)),
        };
        let size = metadata.len();
        self.found.push(Transcript { path, device, inode, size, modified, told, subagent });
    }
}

/// A workflow's journal repeats what its agents wrote.
fn is_transcript(name: &OsStr) -> bool {
    name.as_encoded_bytes().strip_suffix(b".jsonl").is_some_and(|stem| !stem.is_empty() && stem != b"journal")
}

/// A subagent's, of an older client that wrote it beside its session's.
fn is_agent(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"agent-"))
}

/// What a folder tells of the transcripts in it.
enum Home {
    /// `<session>/subagents/**`: they are its subagents'.
    Subagents(Option<SessionId>),
    /// `<session>.jsonl` is the session's own.
    Elsewhere,
}

impl Home {
    fn of(folder: &Path) -> Self {
        let mut folders = folder.ancestors();
        if folders.any(|folder| folder.ends_with("subagents")) {
            Self::Subagents(session_named(folders.next().and_then(Path::file_name)))
        } else {
            Self::Elsewhere
        }
    }
}

fn session_named(name: Option<&OsStr>) -> Option<SessionId> {
    name.and_then(OsStr::to_str).and_then(|name| name.parse().ok())
}

/// What tells a file from its copies, as a text: which it is on its disk, and since when.
pub(crate) fn birth(metadata: &Metadata) -> String {
    // the number of the disk may change when it is mounted again
    let (_, number) = identity::of(Path::new(""), metadata);
    let since = metadata.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    format!("{number}/{}", since.map_or(0, |since| since.as_nanos()))
}

/// What makes two paths the same file.
#[cfg(unix)]
mod identity {
    use super::{Metadata, Path};
    use std::os::unix::fs::MetadataExt;

    pub(super) fn of(_path: &Path, metadata: &Metadata) -> (u64, u64) {
        (metadata.dev(), metadata.ino())
    }
}

/// What makes two paths the same file: elsewhere the path without links, as hard links cannot be told there.
#[cfg(not(unix))]
mod identity {
    use super::{Metadata, Path};

    pub(super) fn of(path: &Path, _metadata: &Metadata) -> (u64, u64) {
        let bytes = path.as_os_str().as_encoded_bytes();
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        (0, hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    const A: &str = "8b41c8a0-0000-4000-8000-00000000000a";
    const B: &str = "8b41c8a0-0000-4000-8000-00000000000b";

    fn home(files: &[&str]) -> TempDir {
        let home = tempfile::tempdir().unwrap();
        for file in files {
            let path = home.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}\n").unwrap();
        }
        home
    }

    /// `name session-letter` of each, `+` for subagents.
    #[track_caller]
    fn check(home: &TempDir, roots: &[&str], expected: &[&str]) {
        let roots: Vec<_> = roots.iter().map(|root| home.path().join(root)).collect();
        let (found, troubles) = find(&roots);
        assert_eq!(troubles, Vec::<String>::new());
        for Transcript { path, .. } in &found {
            assert_eq!(fs::canonicalize(path).unwrap(), *path, "without links");
        }
        let mut found: Vec<String> = found.iter().map(shown).collect();
        found.sort();
        assert_eq!(found, expected);
    }

    fn shown(transcript: &Transcript) -> String {
        let session =
            transcript.session().map_or("-".to_owned(), |session| session.as_str()[35..].to_owned());
        let name = transcript.path.file_stem().unwrap().to_string_lossy();
        let name = name.strip_prefix("8b41c8a0-0000-4000-8000-00000000000").unwrap_or(&name);
        format!("{name} {session}{}", if transcript.subagent { "+" } else { "" })
    }

    #[test]
    fn sessions_subagents_and_legacy_agents_are_found() {
        let files = [
            format!("p/x/{A}.jsonl"),
            format!("p/x/{A}/subagents/agent-1.jsonl"),
            format!("p/x/{A}/subagents/workflows/w/agent-2.jsonl"),
            format!("p/x/{A}/subagents/workflows/w/journal.jsonl"),
            format!("p/x/{A}/subagents/agent-1.meta.json"),
            format!("p/x/{A}/tool-results/output.jsonl"),
            format!("p/x/subagents/{B}.jsonl"),
            "p/x/agent-3.jsonl".to_owned(),
            "p/x/other.jsonl".to_owned(),
            "p/x/memory/notes.md".to_owned(),
        ];
        let home = home(&files.each_ref().map(String::as_str));
        check(&home, &["p"], &["a a", "agent-1 a+", "agent-2 a+", "agent-3 -+", "b -+", "other -"]);
        check(
            &home,
            &["p", "p/x", "missing"],
            &["a a", "agent-1 a+", "agent-2 a+", "agent-3 -+", "b -+", "other -"],
        );
        let of_one = session(&home.path().join(format!("p/x/{A}.jsonl")), &A.parse().unwrap());
        assert_eq!(of_one.iter().map(shown).collect::<Vec<_>>(), ["a a", "agent-1 a+", "agent-2 a+"]);
        assert_eq!(session(&home.path().join(format!("p/x/{B}.jsonl")), &B.parse().unwrap()), []);
    }

    #[cfg(unix)]
    #[test]
    fn links_lose_nothing_and_double_nothing() {
        use std::os::unix::fs::symlink;
        let home = home(&[&format!("p/x/{A}.jsonl"), &format!("elsewhere/y/{B}.jsonl")]);
        let at = |path: &str| home.path().join(path);
        symlink(at("elsewhere/y"), at("p/y")).unwrap();
        symlink(at("elsewhere/y"), at("p/z")).unwrap();
        symlink(at("p"), at("p/x/loop")).unwrap();
        symlink(at("nowhere"), at("p/broken")).unwrap();
        symlink(at(&format!("elsewhere/y/{B}.jsonl")), at("p/x/linked.jsonl")).unwrap();
        fs::hard_link(at(&format!("p/x/{A}.jsonl")), at(&format!("elsewhere/y/{A}.jsonl"))).unwrap();
        symlink(at("p"), at("q")).unwrap();
        check(&home, &["p", "q", "p"], &["a a", "b b"]);
    }

    #[test]
    fn a_folder_that_cannot_be_read_is_said_and_passed() {
        let home = home(&[&format!("p/x/{A}.jsonl"), "q"]);
        let (found, troubles) = find(&[home.path().join("q"), home.path().join("p")]);
        assert_eq!((found.len(), troubles.len()), (1, 1));
        assert!(troubles[0].starts_with("cannot read ") && troubles[0].contains("q: "), "{troubles:?}");
    }

    #[test]
    fn a_file_is_itself_however_it_is_found_and_no_other() {
        let home = home(&["a", "b"]);
        let of = |name: &str| {
            let path = fs::canonicalize(home.path().join(name)).unwrap();
            identity::of(&path, &fs::metadata(&path).unwrap())
        };
        fs::create_dir(home.path().join("folder")).unwrap();
        assert_eq!(of("a"), of("folder/../a"));
        assert_ne!(of("a"), of("b"));
        let before = of("a");
        fs::write(home.path().join("a"), "more than there was").unwrap();
        assert_eq!(of("a"), before, "it has grown");
    }

    #[test]
    fn roots_follow_the_environment() {
        let home = home(&["c/projects/x/a.jsonl", "d/projects/a.jsonl", "with,comma/projects/a.jsonl"]);
        let at = |path: &str| home.path().join(path);
        let mark = if cfg!(windows) { ';' } else { ':' };
        let list =
            format!("{},{}{mark}{}", at("c").display(), at("d/projects").display(), at("missing").display());
        let expected = [at("c/projects"), at("d/projects"), at("missing/projects")];
        assert_eq!(roots(Some(&list), Some("/xdg"), Some(Path::new("/h"))), expected);
        let comma = at("with,comma");
        assert_eq!(roots(comma.to_str(), None, None), [at("with,comma/projects")]);
        let pair = |first: &str| vec![PathBuf::from(first), PathBuf::from("/h/.claude/projects")];
        assert_eq!(roots(None, None, Some(Path::new("/h"))), pair("/h/.config/claude/projects"));
        assert_eq!(roots(Some(" "), Some("/xdg"), Some(Path::new("/h"))), pair("/xdg/claude/projects"));
        assert_eq!(roots(None, None, None), Vec::<PathBuf>::new());
    }
}
