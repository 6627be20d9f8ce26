//! The price book as a table, so that every stored cost can be followed to its rates.

use super::audit::{Event, audit_add};
use super::db::{Db, Value, values};
use anyhow::Result;
use jiff::Timestamp;
use meter::{Price, PriceBook, PriceKind, Rates};

const COLUMNS: &str = "price_id, model, kind, above, provider, valid_from, input_picousd, output_picousd,
    cache_read_picousd, cache_write_5m_picousd, cache_write_1h_picousd, web_search_picousd, us_permille";

/// Makes the table say what `book` says; what changes later than the first time is audited. Costs already
/// stored stay as they are.
pub(crate) fn price_publish(db: &mut Db, book: &PriceBook, now: Timestamp) -> Result<()> {
    let first = db.query("SELECT price_id FROM price LIMIT 1", &[])?.is_empty();
    for price in book.prices() {
        let row = price_row(price);
        let sql = format!("SELECT {COLUMNS} FROM price WHERE price_id = $1");
        let stored = db.query(&sql, &values![&price.id])?;
        if stored.first().is_some_and(|stored| stored.is(&row)) {
            continue;
        }
        db.execute(
            &format!(
                "INSERT INTO price ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
                 ON CONFLICT (price_id) DO UPDATE SET
                    model = excluded.model, kind = excluded.kind, above = excluded.above,
                    provider = excluded.provider, valid_from = excluded.valid_from,
                    input_picousd = excluded.input_picousd, output_picousd = excluded.output_picousd,
                    cache_read_picousd = excluded.cache_read_picousd,
                    cache_write_5m_picousd = excluded.cache_write_5m_picousd,
                    cache_write_1h_picousd = excluded.cache_write_1h_picousd,
                    web_search_picousd = excluded.web_search_picousd, us_permille = excluded.us_permille"
            ),
            &row,
        )?;
        if first {
            continue;
        }
        let action = if stored.is_empty() { "price_added" } else { "price_changed" };
        let detail = format!("{} from {}", price.kind.as_str(), price.from);
        audit_add(db, now, &Event { actor: "collector", action, subject: &price.id, detail })?;
    }
    Ok(())
}

fn price_row(price: &Price) -> Vec<Value<'_>> {
    let Rates { input, output, cache_read, cache_write_5m, cache_write_1h, web_search, us_permille } =
        price.rates;
    let above = match price.kind {
        PriceKind::Long { above } => Some(above.as_str()),
        PriceKind::Base | PriceKind::Fast => None,
    };
    let provider = price.provider.map(meter::Provider::as_str);
    let mut row = Vec::from(values![
        &price.id,
        &price.model,
        price.kind.as_str(),
        above,
        provider,
        price.from.to_string()
    ]);
    let rates = [input, output, cache_read, cache_write_5m, cache_write_1h, web_search, us_permille];
    row.extend(rates.map(Value::from));
    row
}
