//! Ingest tokens: who may deliver. A handler that takes a [`Grant`] or a [`Herald`] cannot be reached without one.

use super::App;
use super::error::Error;
use crate::keys::Verifying;
use crate::store::token::{Scope, Token, token_is_revoked};
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use jiff::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use meter::Repo;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const ISSUER: &str = "cpvo";
const AUDIENCE: &str = "ingest";
const TOKEN_BYTES_MAX: usize = 4096;
/// The code for what no key of ours signed, or not as it stands there.
const FOREIGN: &str = "token";
pub(crate) const REVOKED: &str = "the token was revoked";
/// Seconds a client's or another collector's clock may be off.
const LEEWAY: u64 = 60;

/// What a token lets its bearer do: deliver reports, nothing else.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    /// The token's id.
    pub token_id: String,
    /// The repository whose settings carry the token.
    pub via_repo: Repo,
    /// Whether it may report that repository only.
    pub strict: bool,
}

/// What a token lets its bearer do that is for incidents: tell those of one repository, nothing else.
#[derive(Debug, Clone)]
pub(super) struct Herald {
    pub token_id: String,
    pub repo: Repo,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    aud: String,
    sub: String,
    jti: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    scope: String,
    strict: bool,
}

/// What a token says that the collector issues.
pub(crate) fn claims(token: &Token) -> Claims {
    Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: format!("repo:{}", token.repo),
        jti: token.id.clone(),
        iat: token.issued_at.as_second(),
        nbf: token.issued_at.as_second(),
        exp: token.expires_at.as_second(),
        scope: token.scope.as_str().to_owned(),
        strict: token.strict,
    }
}

/// Why no request may carry a token.
pub(crate) struct Refusal {
    /// Whether no key of this collector signed it.
    pub foreign: bool,
    pub reason: String,
}

/// The id of a token that a command meets, where requests may carry it; whether it was revoked is not asked.
pub(crate) fn token_id(token: &str, keys: &Verifying, now: Timestamp) -> Result<String, Refusal> {
    let refusal = |error: Error| Refusal { foreign: error.status().1 == FOREIGN, reason: error.to_string() };
    verify(token, Scope::Reports, keys, now).map(|grant| grant.token_id).map_err(refusal)
}

impl FromRequestParts<Arc<App>> for Grant {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        admitted(parts, Scope::Reports, app).await
    }
}

impl FromRequestParts<Arc<App>> for Herald {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let Grant { token_id, via_repo: repo, .. } = admitted(parts, Scope::Incidents, app).await?;
        Ok(Self { token_id, repo })
    }
}

/// What the token of a request grants, where it is one for `scope`.
async fn admitted(parts: &Parts, scope: Scope, app: &App) -> Result<Grant, Error> {
    let header = parts.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let token = header.and_then(|header| header.strip_prefix("Bearer "));
    let grant = verify(token.unwrap_or_default(), scope, &app.keys, (app.now)())?;
    let id = grant.token_id.clone();
    if app.store.read(move |db| token_is_revoked(db, &id)).await? {
        return Err(Error::Unauthorized("token_revoked", REVOKED.to_owned()));
    }
    Ok(grant)
}

/// The one way a token is checked. Its key and with it the algorithm come from our own keys, by id.
fn verify(token: &str, scope: Scope, keys: &Verifying, now: Timestamp) -> Result<Grant, Error> {
    let refuse = |code, message: &str| Err(Error::Unauthorized(code, message.to_owned()));
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
        return refuse(FOREIGN, "expected the header `authorization: Bearer <token>`");
    }
    let id = jsonwebtoken::decode_header(token).ok().and_then(|header| header.kid);
    let Some(key) = id.as_deref().and_then(|id| keys.get(id)) else {
        return refuse(FOREIGN, "the token is not of this collector");
    };
    let claims = match jsonwebtoken::decode::<Claims>(token, key, &validation()) {
        Ok(token) => token.claims,
        Err(error) => match error.kind() {
            ErrorKind::ExpiredSignature => return refuse("token_expired", "the token has expired"),
            ErrorKind::ImmatureSignature => return refuse("token_time", "the token is not valid yet"),
            _ => return refuse(FOREIGN, "the token is not valid"),
        },
    };
    if claims.iat > now.as_second().saturating_add_unsigned(LEEWAY) {
        return refuse("token_time", "the token was issued in the future");
    }
    if claims.scope != scope.as_str() {
        let what = match scope {
            Scope::Reports => "deliver reports",
            Scope::Incidents => "tell incidents: `cpvo token issue --incidents` makes one that may",
        };
        return Err(Error::Forbidden(format!("the token may not {what}")));
    }
    let Some(via_repo) = claims.sub.strip_prefix("repo:").and_then(|repo| repo.parse().ok()) else {
        return refuse(FOREIGN, "the token names no repository");
    };
    Ok(Grant { token_id: claims.jti, via_repo, strict: claims.strict })
}

fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
    validation.validate_nbf = true;
    validation.leeway = LEEWAY;
    validation
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys;
    use serde_json::{Value, json};

    #[test]
    fn a_refused_token_is_told_from_a_foreign_one() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let seconds = i64::try_from(jsonwebtoken::get_current_timestamp()).unwrap();
        let now = Timestamp::from_second(seconds).unwrap();
        let foreign = |days: i64, signer: &tempfile::TempDir| {
            let expires_at = now + jiff::SignedDuration::from_hours(24 * days);
            let repo = "github.com/acme/pay".parse().unwrap();
            let issued_at = now - jiff::SignedDuration::from_hours(48);
            let token = Token {
                id: "a".to_owned(),
                repo,
                strict: false,
                scope: Scope::Reports,
                issued_at,
                expires_at,
                revoked_at: None,
            };
            let text = keys::signing(signer.path()).unwrap().sign(&claims(&token)).unwrap();
            token_id(&text, &keys::verifying(ours.path()).unwrap(), now).map_err(|refusal| refusal.foreign)
        };
        keys::create(ours.path()).unwrap();
        keys::create(theirs.path()).unwrap();
        assert_eq!(foreign(1, &ours), Ok("a".to_owned()));
        assert_eq!(foreign(-1, &ours), Err(false));
        assert_eq!(foreign(1, &theirs), Err(true));
    }

    /// The rules alone, whatever shape the claims are read into.
    #[test]
    fn the_validation_wants_every_claim_and_its_type() {
        let folder = tempfile::tempdir().unwrap();
        let file = keys::create(folder.path()).unwrap();
        let id = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let (signing, verifying) =
            (keys::signing(folder.path()).unwrap(), keys::verifying(folder.path()).unwrap());
        let now = i64::try_from(jsonwebtoken::get_current_timestamp()).unwrap();
        let accepts = |claim: &str, value: Value| {
            let mut claims = json!({
                "iss": ISSUER, "aud": AUDIENCE, "sub": "repo:x", "nbf": now, "exp": now + 600,
            });
            claims.as_object_mut().unwrap().remove(claim);
            if !value.is_null() {
                claims[claim] = value;
            }
            let token = signing.sign(&claims).unwrap();
            jsonwebtoken::decode::<Value>(&token, verifying.get(&id).unwrap(), &validation()).is_ok()
        };
        assert!(accepts("jti", json!("any")));
        for claim in ["iss", "aud", "sub", "nbf", "exp"] {
            assert!(!accepts(claim, Value::Null), "without {claim}");
            assert!(!accepts(claim, json!({"a": 1})), "{claim} of another type");
        }
        for (claim, value) in [
            ("iss", json!("other")),
            ("aud", json!("other")),
            ("nbf", json!(now + 120)),
            ("nbf", json!("0")),
            ("exp", json!(now - 120)),
            ("exp", json!((now + 600).to_string())),
        ] {
            assert!(!accepts(claim, value.clone()), "{claim} {value}");
        }
        assert!(
            accepts("exp", json!(now - 30)) && accepts("nbf", json!(now + 30)),
            "clocks may differ a little"
        );
    }
}
