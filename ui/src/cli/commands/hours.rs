//! Other limits at some hours.

use super::Asked;
use crate::answers::{HourSpan, HoursChange};
use crate::cli::Failure;
use crate::cli::arguments::{AddHours, HoursCommand};
use crate::cli::connection::Connection;
use crate::cli::shown::{plain, rate, table};
use crate::weekdays;

pub(super) fn run(asked: &mut Asked<'_>, command: Option<HoursCommand>) -> Result<(), Failure> {
    let daemon = asked.connect()?;
    let spans: Vec<HourSpan> = daemon.get("/hours")?;
    match command {
        None => show(asked, &spans),
        Some(HoursCommand::Add(typed)) => {
            let (at, mut hours) = (if typed.first { 0 } else { spans.len() }, spans);
            hours.insert(at, span(typed));
            set(asked, &daemon, hours)
        }
        Some(HoursCommand::Remove { numbers }) => {
            let missing = numbers.iter().find(|number| **number > spans.len() as u64);
            if let Some(missing) = missing {
                let told = format!("there are no hours {missing}: `peerdrive hours` shows {}", spans.len());
                return Err(Failure::Failed(told));
            }
            let stays = |(number, span): (u64, HourSpan)| (!numbers.contains(&number)).then_some(span);
            set(asked, &daemon, (1..).zip(spans).filter_map(stays).collect())
        }
        Some(HoursCommand::Clear) => set(asked, &daemon, Vec::new()),
    }
}

fn span(typed: AddHours) -> HourSpan {
    HourSpan {
        days: weekdays::of(typed.days),
        from: typed.from,
        to: typed.to,
        up: typed.up.map(|rate| rate.0),
        down: typed.down.map(|rate| rate.0),
    }
}

fn set(asked: &mut Asked<'_>, daemon: &Connection, hours: Vec<HourSpan>) -> Result<(), Failure> {
    let spans: Vec<HourSpan> = daemon.post("/hours", &HoursChange { hours })?;
    show(asked, &spans)
}

fn show(asked: &mut Asked<'_>, spans: &[HourSpan]) -> Result<(), Failure> {
    if asked.output.is_json() {
        return asked.output.json(&spans);
    }
    if spans.is_empty() {
        asked.output.hint("None: the limits of `peerdrive contribute` hold at all hours.");
        return Ok(());
    }
    let head = ["", "DAYS", "FROM", "TO", "SENDS", "RECEIVES"].map(String::from).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain((1..).zip(spans).map(row)).collect();
    table(&rows).into_iter().try_for_each(|line| asked.output.line(line))
}

fn row((number, span): (usize, &HourSpan)) -> Vec<String> {
    let limit = |bytes: Option<u64>| bytes.map_or("as usual".into(), rate);
    let days = weekdays::text(weekdays::bits(&span.days));
    vec![number.to_string(), days, plain(&span.from), plain(&span.to), limit(span.up), limit(span.down)]
}
