//! Reading what a stranger sends: a bounded time, a bounded size, a bounded list.

use super::error::Error;
use axum::body::{Body, Bytes};
use serde::Deserializer;
use serde::de::{Deserialize, Error as _, SeqAccess, Visitor};
use std::marker::PhantomData;
use std::time::Duration;

pub(super) const BODY_BYTES_MAX: usize = 4 << 20;
const BODY_WAIT: Duration = Duration::from_secs(15);

pub(super) async fn read(body: Body) -> Result<Bytes, Error> {
    let whole = axum::body::to_bytes(body, BODY_BYTES_MAX);
    match tokio::time::timeout(BODY_WAIT, whole).await {
        Err(_) => Err(Error::Slow),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if too_large(&error) => Err(Error::TooLarge(BODY_BYTES_MAX)),
        Ok(Err(_)) => Err(Error::Unreadable("the body ended early".to_owned())),
    }
}

fn too_large(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The 1 to `max` items of a JSON array; the rest is not read.
pub(super) fn list<'a, T: Deserialize<'a>>(json: &'a [u8], max: usize) -> Result<Vec<T>, Error> {
    let mut from = serde_json::Deserializer::from_slice(json);
    let items =
        from.deserialize_seq(Items { max, items: PhantomData }).and_then(|items| from.end().map(|()| items));
    match items {
        Ok(items) if items.is_empty() => Err(Error::Unreadable(format!("expected an array of 1 to {max}"))),
        Ok(items) => Ok(items),
        Err(error) => Err(Error::Unreadable(format!("expected an array of 1 to {max}: {error}"))),
    }
}

struct Items<T> {
    max: usize,
    items: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Vec<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            if items.len() == self.max {
                return Err(A::Error::custom("there are more"));
            }
            items.push(item);
        }
        Ok(items)
    }
}
