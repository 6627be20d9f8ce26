//! `cpvo export`: what was spent and what came of it, as files for other programs. No row names a person.

mod focus;
mod parquet;

use crate::config::{Clock, Options};
use crate::listing;
use crate::store::charge::charge_list;
use crate::store::db::{Access, Db};
use crate::store::sheet::{CHANGES, Range, SPEND, Shape, WEEKS, sheet};
use crate::weekly::{WEEKS_DEFAULT, team_known, weeks_back};
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use std::io::{IsTerminal, Write, stdout};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What a row is [default: spend]
    #[arg(value_enum)]
    content: Option<Content>,
    #[arg(long, value_enum)]
    format: Format,
    #[command(flatten)]
    choice: Choice,
}

/// What of it is asked for.
#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choice {
    /// One team by its id, or `unassigned` [default: all]
    #[arg(long)]
    pub team: Option<String>,
    /// The first day, in UTC, where `weekly --from` is a week [default: the Monday of 12 weeks]
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// The first day no more [default: all there is]
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Content {
    /// A day, team, repository and model
    Spend,
    /// A team and week, with what came of it
    Weeks,
    /// A change that merged, with what it cost
    Changes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    Json,
    Parquet,
    /// CSV in the columns of FOCUS 1.2, a row for each charge
    Focus,
}

/// A file to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum File {
    Csv(Content),
    Json(Content),
    Parquet(Content),
    Focus,
}

pub(crate) fn run(Args { content, format, choice }: Args, options: &Options, now: Clock) -> Result<()> {
    let file = File::of(content, format)?;
    let mut out = stdout().lock();
    if matches!(file, File::Parquet(_)) {
        ensure!(!out.is_terminal(), "parquet is not for a terminal: add > FILE");
    }
    let config = options.load()?;
    config.db.ensure_there()?;
    let mut db = crate::store::open(&config.db, Access::Read, now())?;
    let bytes = db.snapshot(|db| {
        team_known(db, choice.team.as_deref())??;
        export(db, file, &choice.range(now())?)
    })?;
    out.write_all(&bytes)?;
    // what follows the last newline is still held back, and at the exit nobody would hear that it failed
    Ok(out.flush()?)
}

impl Choice {
    /// Fails where a day is at the end of all time, which instants do not reach.
    pub(crate) fn range(self, now: Timestamp) -> Result<Range> {
        let start = |day: Date| {
            let midnight = day.to_zoned(TimeZone::UTC);
            anyhow::Ok(midnight.with_context(|| format!("{day} is beyond all time"))?.timestamp())
        };
        let from = self.from.map(start).transpose()?;
        let until = self.until.map(start).transpose()?.unwrap_or(Timestamp::MAX);
        let from = from.unwrap_or_else(|| weeks_back(now, WEEKS_DEFAULT).start());
        Ok(Range { from, until, team: self.team })
    }
}

impl File {
    fn of(content: Option<Content>, format: Format) -> Result<Self> {
        let of = content.unwrap_or(Content::Spend);
        Ok(match format {
            Format::Csv => Self::Csv(of),
            Format::Json => Self::Json(of),
            Format::Parquet => Self::Parquet(of),
            Format::Focus if content.is_none() => Self::Focus,
            Format::Focus => bail!("a row of focus is a charge: leave out what a row is"),
        })
    }

    /// By a name such as `weeks.parquet` or `focus.csv`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if name == "focus.csv" {
            return Some(Self::Focus);
        }
        let (content, format) = name.split_once('.')?;
        let format = Format::from_str(format, false).ok().filter(|format| *format != Format::Focus)?;
        Self::of(Some(Content::from_str(content, false).ok()?), format).ok()
    }

    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Csv(_) | Self::Focus => "text/csv; charset=utf-8",
            Self::Json(_) => "application/json",
            Self::Parquet(_) => "application/vnd.apache.parquet",
        }
    }
}

impl Content {
    fn shape(self) -> &'static Shape {
        match self {
            Self::Spend => &SPEND,
            Self::Weeks => &WEEKS,
            Self::Changes => &CHANGES,
        }
    }
}

/// The bytes of a file.
pub(crate) fn export(db: &mut Db, file: File, range: &Range) -> Result<Vec<u8>> {
    Ok(match file {
        File::Csv(of) => text(&sheet(db, of.shape(), range)?.listing(), listing::Format::Csv)?,
        File::Json(of) => text(&sheet(db, of.shape(), range)?.listing(), listing::Format::Json)?,
        File::Parquet(of) => parquet::parquet(&sheet(db, of.shape(), range)?)?,
        File::Focus => text(&focus::focus(&charge_list(db, range)?), listing::Format::Csv)?,
    })
}

fn text(listing: &listing::Listing, format: listing::Format) -> Result<Vec<u8>> {
    Ok(listing.render(format)?.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{now, on_both, spend};

    fn csv(db: &mut Db, name: &str, choice: Choice) -> String {
        String::from_utf8(export(db, File::named(name).unwrap(), &choice.range(now()).unwrap()).unwrap())
            .unwrap()
    }

    #[test]
    fn a_file_has_what_was_spent_in_its_days_and_names_nobody() {
        on_both(|db| {
            spend(db, "pay", "claude-opus-5-5", "2026-11-20T23:00:00Z", Some(5));
            spend(db, "pay", "claude-opus-5-5", "2026-11-21T00:00:00Z", Some(7_000_000_001));
            spend(db, "pay", "claude-opus-5-5", "2026-11-21T23:00:00Z", Some(2));
            spend(db, "pay", "odd-model", "2026-11-21T23:00:00Z", None);
            spend(db, "pay", "claude-opus-5-5", "2026-11-22T00:00:00Z", Some(11));
            spend(db, "web", "claude-opus-5-5", "2026-11-21T23:00:00Z", Some(9));
            let one_day = || Choice {
                team: Some("pay".to_owned()),
                from: Some("2026-11-21".parse().unwrap()),
                until: Some("2026-11-22".parse().unwrap()),
            };
            let expected = "\
day,week,team,business_unit,product,repo,model,provider,trust,cost_basis,requests,input,output,cache_read,cache_write_5m,\
cache_write_1h,web_search,cost_usd
2026-11-21,2026-W47,pay,,,h.x/a/pay,claude-opus-5-5,anthropic,claimed,list,2,2,4,6,8,10,12,7.000000003
2026-11-21,2026-W47,pay,,,h.x/a/pay,odd-model,anthropic,claimed,list,1,1,2,3,4,5,6,
";
            assert_eq!(csv(db, "spend.csv", one_day()), expected);
            let focus = csv(db, "focus.csv", one_day());
            assert_eq!(focus.lines().count(), 1 + 6, "what has no price is no charge: {focus}");
            for name in ["spend.csv", "spend.json", "spend.parquet", "focus.csv", "changes.csv", "weeks.csv"]
            {
                let bytes =
                    export(db, File::named(name).unwrap(), &Choice::default().range(now()).unwrap()).unwrap();
                assert!(!String::from_utf8_lossy(&bytes).contains("ana@"), "{name}");
            }
        });
    }

    #[test]
    fn a_file_has_a_name() {
        assert_eq!(File::named("weeks.parquet"), Some(File::Parquet(Content::Weeks)));
        for name in ["weeks", "weeks.xls", "people.csv", "focus.json", "spend.focus", ".csv", "../spend.csv"]
        {
            assert_eq!(File::named(name), None, "{name}");
        }
        assert!(File::of(Some(Content::Weeks), Format::Focus).is_err());
    }
}
