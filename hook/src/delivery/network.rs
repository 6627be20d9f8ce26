//! How a collector is reached: through which proxy, and whose certificates are believed.

use crate::config::Lookup;
use crate::terms::collector::Address;
use anyhow::{Context, Result, bail};
use rustls_native_certs::{load_certs_from_paths, load_native_certs};
use std::path::PathBuf;
use std::sync::Arc;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Proxy, ProxyProtocol};

/// The first that is set counts. A collector off this machine is https, so the variable for that comes first.
const PROXIES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];
const CERTIFICATES: &str = "SSL_CERT_FILE";
/// Answers are short, and a buffer is written as a whole before it is used.
const BUFFER_BYTES: usize = 32 << 10;

#[derive(Debug, Clone, Default)]
pub(crate) struct Network {
    /// The variable that names a proxy, and the proxy where it can be used.
    proxy: Option<(&'static str, Option<Proxy>)>,
    /// Hosts and domains that are reached without it.
    direct: Vec<String>,
    /// Certificates that are believed instead of the platform's.
    certificates: Option<PathBuf>,
}

impl Network {
    pub(crate) fn read(variable: &Lookup<'_>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let proxy = PROXIES.into_iter().find_map(|name| Some((name, proxy(&set(name)?))));
        let direct = set("NO_PROXY").or_else(|| set("no_proxy")).unwrap_or_default().to_lowercase();
        let direct = direct.split([',', ' ']).filter(|entry| !entry.is_empty());
        let direct = direct.map(str::to_owned).collect();
        Self { proxy, direct, certificates: set(CERTIFICATES).map(PathBuf::from) }
    }

    /// What talks to the collector at `address`.
    pub(crate) fn agent(&self, address: &Address) -> Result<Agent> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .input_buffer_size(BUFFER_BYTES)
            .output_buffer_size(BUFFER_BYTES)
            .user_agent(concat!("cpvo-hook/", env!("CARGO_PKG_VERSION")))
            .proxy(self.proxy(address)?);
        let config = if address.is_https() { config.tls_config(self.tls()?) } else { config };
        Ok(config.build().new_agent())
    }

    /// What is on this machine is nobody else's to pass on.
    fn proxy(&self, address: &Address) -> Result<Option<Proxy>> {
        let Some((name, proxy)) = &self.proxy else { return Ok(None) };
        if address.is_loopback() || self.direct.iter().any(|entry| covers(entry, address.host())) {
            return Ok(None);
        }
        match proxy {
            Some(proxy) => Ok(Some(proxy.clone())),
            None => bail!("{name} is no address of a proxy like http://proxy.acme.example:8080"),
        }
    }

    fn tls(&self) -> Result<TlsConfig> {
        let (found, source) = match &self.certificates {
            Some(file) => {
                (load_certs_from_paths(Some(file), None), format!("{CERTIFICATES} {}", file.display()))
            }
            None => (load_native_certs(), format!("the platform, and {CERTIFICATES} is not set")),
        };
        if found.certs.is_empty() {
            let error = found.errors.into_iter().next();
            let error = error.map_or_else(|| anyhow::anyhow!("there is none"), anyhow::Error::new);
            return Err(error).with_context(|| format!("no certificate from {source}"));
        }
        let roots = found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned());
        Ok(TlsConfig::builder()
            .root_certs(RootCerts::from(roots))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build())
    }
}

/// `None` where it is no proxy that is spoken to by HTTP.
fn proxy(url: &str) -> Option<Proxy> {
    let proxy = Proxy::new(url.trim()).ok()?;
    matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https).then_some(proxy)
}

/// Whether an entry of `NO_PROXY` means `host`: a name and all below it, or `*`.
fn covers(entry: &str, host: &str) -> bool {
    let name = entry.trim_start_matches('*').trim_start_matches('.');
    let below = host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    entry == "*" || (!name.is_empty() && below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], url: &str, expected: Result<Option<&str>, &str>) {
        let lookup = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let found = Network::read(&lookup).proxy(&url.parse().unwrap());
        let found = found.map(|proxy| proxy.map(|proxy| format!("{}:{}", proxy.host(), proxy.port())));
        let found = found.map_err(|error| error.to_string());
        assert_eq!(
            found,
            expected.map(|to| to.map(str::to_owned)).map_err(str::to_owned),
            "{variables:?} {url}"
        );
    }

    #[test]
    fn the_proxy_is_the_one_for_https_unless_the_host_needs_none() {
        const HTTPS: (&str, &str) = ("HTTPS_PROXY", "http://ana:secret@https.example:8080");
        const FAR: &str = "https://cpvo.acme.example";
        check(&[], FAR, Ok(None));
        check(&[("HTTPS_PROXY", " ")], FAR, Ok(None));
        check(&[HTTPS, ("HTTP_PROXY", "http://other")], FAR, Ok(Some("https.example:8080")));
        check(&[("all_proxy", "all.example:1"), ("HTTP_PROXY", "other")], FAR, Ok(Some("all.example:1")));
        check(&[("http_proxy", "http.example")], FAR, Ok(Some("http.example:80")));
        for direct in
            ["*", "cpvo.acme.example", "ACME.example", ".acme.example", "*.acme.example", "a, acme.example"]
        {
            check(&[HTTPS, ("NO_PROXY", direct)], FAR, Ok(None));
        }
        for other in ["", ".", "me.example", "a.cpvo.acme.example", "other.example"] {
            check(&[HTTPS, ("no_proxy", other)], FAR, Ok(Some("https.example:8080")));
        }
        check(&[HTTPS], "http://127.0.0.1:7878", Ok(None));
        check(&[HTTPS], "https://localhost", Ok(None));
        let no_proxy = "HTTPS_PROXY is no address of a proxy like http://proxy.acme.example:8080";
        check(&[("HTTPS_PROXY", "socks5://proxy.example")], FAR, Err(no_proxy));
        check(&[("HTTPS_PROXY", "http://ana:secret@")], FAR, Err(no_proxy));
    }
}
