//! Every way a token can be wrong, and that none of them stores anything.

use crate::server::{REPO, Server, report};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tests::wait::until;

/// Makes tokens with the collector's own key, as whoever stole it could.
struct Forge {
    key: EncodingKey,
    id: String,
}

#[expect(clippy::disallowed_methods, reason = "the collector under attack reads the real clock")]
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

impl Forge {
    fn of(server: &Server) -> Self {
        let file = server.key();
        let id = file.file_stem().unwrap().to_str().unwrap().to_owned();
        Self { key: EncodingKey::from_ed_pem(&std::fs::read(file).unwrap()).unwrap(), id }
    }

    /// The claims of a good token with `changes`; `null` takes one away.
    fn claims(changes: &Value) -> Value {
        let now = now();
        let mut claims = json!({
            "iss": "cpvo", "aud": "ingest", "sub": format!("repo:{REPO}"), "jti": "f0f0", "iat": now, "nbf": now,
            "exp": now + 3600, "scope": "report:write", "strict": false,
        });
        for (claim, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
                value => claims[claim] = value.clone(),
            }
        }
        claims
    }

    fn header(&self) -> Header {
        Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::EdDSA) }
    }

    fn token(&self, changes: &Value) -> String {
        jsonwebtoken::encode(&self.header(), &Self::claims(changes), &self.key).unwrap()
    }

    /// A good payload under any header, with any signature.
    fn raw(header: &Value, signature: &str) -> String {
        let part = |json: &Value| BASE64.encode(json.to_string());
        format!("{}.{}.{signature}", part(header), part(&Self::claims(&json!({}))))
    }
}

#[track_caller]
fn refused(server: &Server, token: &str, status: u16) {
    let (got, reply) = server.post(token, &format!("[{}]", report(&json!({}))));
    assert_eq!(got, status, "{reply}");
    assert!(reply["error"]["code"].is_string() && !reply.to_string().contains(REPO), "{reply}");
}

#[test]
fn only_a_token_of_this_collector_for_this_purpose_delivers() {
    let server = Server::start();
    let forge = Forge::of(&server);
    for bad in ["", "x", "a.b.c", "....", &"x".repeat(5000)] {
        refused(&server, bad, 401);
    }
    let body = format!("[{}]", report(&json!({})));
    for header in ["", "authorization: Basic YTpi\r\n", "authorization: Bearer\r\n"] {
        assert_eq!(server.post_with("/v1/reports", header, body.as_bytes()).0, 401, "{header}");
    }
    let wrong = [
        json!({"aud": "dashboard"}),
        json!({"aud": null}),
        json!({"iss": "someone"}),
        json!({"iss": null}),
        json!({"sub": null}),
        json!({"sub": "dev:ana"}),
        json!({"nbf": null}),
        json!({"nbf": now() + 600}),
        json!({"nbf": (now() + 600).to_string()}),
        json!({"iat": now() + 600}),
        json!({"iat": null}),
        json!({"exp": null}),
        json!({"exp": now() - 600}),
        json!({"exp": (now() + 600).to_string()}),
        json!({"exp": -1}),
        json!({"jti": null}),
    ];
    for changes in wrong {
        refused(&server, &forge.token(&changes), 401);
    }
    refused(&server, &forge.token(&json!({"scope": "read"})), 403);
    assert_eq!(server.count("session"), 0);
    // the forge itself is good: only what was changed was refused
    assert_eq!(server.deliver(&forge.token(&json!({})), &report(&json!({})))["status"], "applied");
}

#[test]
fn the_algorithm_and_the_key_are_never_the_tokens_choice() {
    let server = Server::start();
    let forge = Forge::of(&server);
    let public = Jwk::from_encoding_key(&forge.key, Algorithm::EdDSA).unwrap();
    let public_bytes =
        serde_json::to_value(&public).unwrap()["x"].as_str().map(|x| BASE64.decode(x).unwrap()).unwrap();
    let id = forge.id.as_str();
    refused(&server, &Forge::raw(&json!({"alg": "none", "kid": id}), ""), 401);
    refused(&server, &Forge::raw(&json!({"alg": "EdDSA", "kid": id}), ""), 401);
    let confused = Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::HS256) };
    let keyed = EncodingKey::from_secret(&public_bytes);
    refused(&server, &jsonwebtoken::encode(&confused, &Forge::claims(&json!({})), &keyed).unwrap(), 401);
    let good = forge.token(&json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    for kid in
        [json!("../../etc/passwd"), json!("' OR 1=1 --"), json!("x".repeat(2000)), json!(null), json!(5)]
    {
        refused(&server, &Forge::raw(&json!({"alg": "EdDSA", "kid": kid}), signature), 401);
    }
    let (stranger_folder, stranger) = stranger_key();
    let own = Header {
        jku: Some("http://127.0.0.1:1/keys".to_owned()),
        jwk: Some(stranger_public(&stranger)),
        ..forge.header()
    };
    refused(&server, &jsonwebtoken::encode(&own, &Forge::claims(&json!({})), &stranger).unwrap(), 401);
    drop(stranger_folder);
    let other = forge.token(&json!({"strict": true}));
    let (other_signed, _) = other.rsplit_once('.').unwrap();
    refused(&server, &format!("{other_signed}.{signature}"), 401);
    refused(&server, &format!("{signed}.{}", &signature[1..]), 401);
    assert_eq!(server.count("session"), 0);
}

/// An Ed25519 key that another collector made.
fn stranger_key() -> (Server, EncodingKey) {
    let server = Server::start();
    let key = EncodingKey::from_ed_pem(&std::fs::read(server.key()).unwrap()).unwrap();
    (server, key)
}

fn stranger_public(key: &EncodingKey) -> Jwk {
    Jwk::from_encoding_key(key, Algorithm::EdDSA).unwrap()
}

#[test]
fn a_revoked_token_is_refused_at_once() {
    let server = Server::start();
    let token = server.token();
    assert_eq!(server.deliver(&token, &report(&json!({})))["status"], "applied");
    let id = server.collector.sql("SELECT token_id FROM token")[0]["token_id"].as_str().unwrap().to_owned();
    assert!(server.collector.cpvo(&["token", "list"]).success().contains(&id));
    server.collector.cpvo(&["token", "revoke", &id]).success();
    let (status, reply) = server.post(&token, "[]");
    assert_eq!((status, &reply["error"]["code"]), (401, &json!("token_revoked")));
    let missing =
        server.post_with("/v1/sessions/missing", &format!("authorization: Bearer {token}\r\n"), b"[]");
    assert_eq!(missing.0, 401);
    assert_ne!(server.collector.cpvo(&["token", "revoke", &id]).code, 0);
    assert_eq!(server.deliver(&server.token(), &report(&json!({})))["status"], "same");
}

#[test]
fn a_strict_token_reports_its_own_repository_only() {
    let server = Server::start();
    let token = server
        .collector
        .cpvo(&["token", "issue", "--strict", "--repo", "git@github.com:acme/pay.git"])
        .success();
    let token = token.trim();
    let answer = server.deliver(token, &report(&json!({"repo": "github.com/acme/web"})));
    assert_eq!((&answer["status"], &answer["code"]), (&json!("rejected"), &json!("forbidden")));
    assert_eq!(server.deliver(token, &report(&json!({})))["status"], "applied");
}

#[test]
fn no_secret_is_logged() {
    let server = Server::start();
    let token = server.token();
    server.deliver(&token, &report(&json!({})));
    refused(&server, &format!("{token}x"), 401);
    let member = "members = [{ email = \"ana@acme.example\" }]\n";
    server.collector.teams(&format!("[[team]]\nid = \"a\"\n{member}[[team]]\nid = \"b\"\n{member}"));
    until("the edit to be refused", || server.collector.log().contains("line=6").then_some(()));
    server.collector.teams("[[team]]\nid = \"a\"\nmember = [\"ana@acme.example\"]\n");
    until("the edit to be refused", || server.collector.log().contains("line=3").then_some(()));
    let log = server.collector.log();
    let signature = token.rsplit('.').next().unwrap();
    for secret in [signature, "ana@acme.example", "feature/PAY-42"] {
        assert!(!log.contains(secret), "{log}");
    }
}
