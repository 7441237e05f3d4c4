//! Hours of the week at which other rates hold: `[[hours]]` in `config.toml`.
//!
//! ```toml
//! [[hours]]
//! days = "mon-fri"      # or "sat,sun", "fri-mon,wed"; every day when it is left out
//! from = "08:00"
//! to = "18:00"          # at most `from`: it ends on the next day
//! up = "1M"             # what is left out is as at other hours
//! down = "off"
//! ```
//!
//! The first span that fits counts.

use toml::{Table, Value};
use transport::{HourRule, Rates};
use ui::answers::HourSpan;
use ui::units::ByteRate;
use ui::weekdays;

use super::parse::{kind, measured, text};

/// Spans at most.
const MAX_SPANS: usize = 64;
const EVERY_DAY: u8 = 0x7f;
const DAY_MINUTES: u16 = 24 * 60;

/// One span, and what holds in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// Bit 0 is Monday: the days on which it begins.
    days: u8,
    from_minute: u16,
    to_minute: u16,
    /// None: as at other hours.
    up: Option<ByteRate>,
    down: Option<ByteRate>,
}

/// How the network may be used besides the limits for all at all hours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Spans in the order in which they are tried.
    pub hours: Vec<Hours>,
    /// Sent to each computer at most; 0: no limit.
    pub peer_up: ByteRate,
    /// Received from each computer at most; 0: no limit.
    pub peer_down: ByteRate,
}

impl Traffic {
    /// With the usual limits, as the network takes them.
    pub fn rates(&self, up: ByteRate, down: ByteRate) -> Rates {
        Rates {
            up_bytes_per_s: up.0,
            down_bytes_per_s: down.0,
            per_peer_up: self.peer_up.0,
            per_peer_down: self.peer_down.0,
            hours: self.hours.iter().map(|hours| hours.rule(up, down)).collect(),
        }
    }

    /// The span that holds at a local minute of the week, in words.
    pub fn at(&self, minute: u16) -> Option<String> {
        let any = ByteRate(0);
        self.hours.iter().find(|hours| hours.rule(any, any).covers(minute)).map(Hours::shown)
    }
}

impl Hours {
    fn rule(&self, up: ByteRate, down: ByteRate) -> HourRule {
        HourRule {
            weekdays: self.days,
            from_minute: self.from_minute,
            to_minute: self.to_minute,
            up_bytes_per_s: self.up.unwrap_or(up).0,
            down_bytes_per_s: self.down.unwrap_or(down).0,
        }
    }

    fn shown(&self) -> String {
        let span = format!("{} to {}", clock_text(self.from_minute), clock_text(self.to_minute));
        if self.days == EVERY_DAY { span } else { format!("{} {span}", weekdays::text(self.days)) }
    }

    /// As the API tells it.
    pub fn told(&self) -> HourSpan {
        HourSpan {
            days: weekdays::of(self.days),
            from: clock_text(self.from_minute),
            to: clock_text(self.to_minute),
            up: self.up.map(|rate| rate.0),
            down: self.down.map(|rate| rate.0),
        }
    }

    /// What stands below `[[hours]]` for it.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |key: &str, value: String| format!("{key} = {}", Value::String(value));
        let days = (self.days != EVERY_DAY).then(|| line("days", weekdays::text(self.days)));
        let rate = |key, rate: Option<ByteRate>| rate.map(|rate| line(key, rate.to_string()));
        let span = [line("from", clock_text(self.from_minute)), line("to", clock_text(self.to_minute))];
        let rates = [rate("up", self.up), rate("down", self.down)];
        days.into_iter().chain(span).chain(rates.into_iter().flatten()).collect()
    }
}

/// What the API was asked for, checked as if it stood in the file.
///
/// # Errors
/// Which span makes no sense and why, or that there are too many.
pub(super) fn asked(spans: &[HourSpan]) -> Result<Vec<Hours>, String> {
    all(&Value::Array(spans.iter().map(|span| Value::Table(written(span))).collect()))
}

fn written(span: &HourSpan) -> Table {
    let rates = [("up", span.up), ("down", span.down)];
    let rates = rates.into_iter().filter_map(|(key, rate)| Some((key, ByteRate(rate?).to_string())));
    let texts = [
        ("days", weekdays::text(weekdays::bits(&span.days))),
        ("from", span.from.clone()),
        ("to", span.to.clone()),
    ];
    texts.into_iter().chain(rates).map(|(key, text)| (key.to_string(), Value::String(text))).collect()
}

fn clock_text(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// All spans of the file.
pub(super) fn all(value: &Value) -> Result<Vec<Hours>, String> {
    let list = value.as_array().ok_or_else(|| "write each span below a line [[hours]]".to_string())?;
    if list.len() > MAX_SPANS {
        return Err(format!("there are {} spans and at most {MAX_SPANS} are taken", list.len()));
    }
    let numbered = (1..).zip(list);
    numbered.map(|(number, span)| one(span).map_err(|why| format!("span {number}: {why}"))).collect()
}

fn one(value: &Value) -> Result<Hours, String> {
    let table: &Table =
        value.as_table().ok_or_else(|| format!("it must be a section, not {}", kind(value)))?;
    let unknown = table.keys().find(|key| !["days", "from", "to", "up", "down"].contains(&key.as_str()));
    if let Some(unknown) = unknown {
        return Err(format!("there is no \"{unknown}\"; a span has days, from, to, up and down"));
    }
    let in_key = |key: &'static str| move |why: String| format!("{key}: {why}");
    let needed = |key: &'static str| {
        table.get(key).ok_or_else(|| format!("\"{key}\" is missing, like {key} = \"08:00\""))
    };
    let rate = |key: &'static str| table.get(key).map(measured).transpose().map_err(in_key(key));
    let days = table.get("days").map_or(Ok("mon-sun"), text).map_err(in_key("days"))?;
    let (up, down): (Option<ByteRate>, Option<ByteRate>) = (rate("up")?, rate("down")?);
    if up.is_none() && down.is_none() {
        return Err("it changes nothing: say up or down".into());
    }
    Ok(Hours {
        days: weekdays::read(days).map_err(in_key("days"))?,
        from_minute: clock(needed("from")?).map_err(in_key("from"))? % DAY_MINUTES,
        to_minute: clock(needed("to")?).map_err(in_key("to"))?,
        up,
        down,
    })
}

/// Minutes since midnight; `24:00` is the end of a day.
fn clock(value: &Value) -> Result<u16, String> {
    let wrong = || "a time of day is like \"08:00\", from 00:00 to 24:00".to_string();
    let (hour, minute) = text(value)?.split_once(':').ok_or_else(wrong)?;
    let number = |digits: &str| (digits.len() == 2).then(|| digits.parse::<u16>().ok()).flatten();
    let (hour, minute) =
        number(hour).zip(number(minute)).filter(|(_, minute)| *minute < 60).ok_or_else(wrong)?;
    Some(hour * 60 + minute).filter(|minutes| *minutes <= DAY_MINUTES).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Hours>, String> {
        let table: Table = text.parse().unwrap();
        all(&table["hours"])
    }

    #[test]
    fn what_is_told_is_taken_again() {
        let spans = read(
            "[[hours]]\ndays = \"sat,sun\"\nfrom = \"20:00\"\nto = \"24:00\"\nup = \"off\"\n\
             [[hours]]\nfrom = \"08:00\"\nto = \"18:00\"\ndown = \"1500\"\n",
        )
        .unwrap();
        let told: Vec<HourSpan> = spans.iter().map(Hours::told).collect();
        let first = &told[0];
        assert_eq!((first.days.len(), first.to.as_str(), first.up, first.down), (2, "24:00", Some(0), None));
        assert_eq!(asked(&told), Ok(spans));
        let none = HourSpan { days: Vec::new(), ..told[1].clone() };
        assert!(asked(&[first.clone(), none]).unwrap_err().starts_with("span 2: days: name one day"));
        assert!(asked(&vec![first.clone(); MAX_SPANS + 1]).unwrap_err().contains("65 spans"));
    }

    #[test]
    fn a_span_holds_at_its_hours_and_what_it_leaves_out_stays() {
        let hours = "[[hours]]\ndays = \"Mon-Fri\"\nfrom = \"08:00\"\nto = \"18:00\"\nup = \"1M\"\n\
                     [[hours]]\nfrom = \"22:00\"\nto = \"06:00\"\nup = \"off\"\ndown = \"off\"\n";
        let traffic = Traffic { hours: read(hours).unwrap(), peer_up: ByteRate(5), ..Traffic::default() };
        let rates = traffic.rates(ByteRate(7), ByteRate(9));
        let at = |day: u16, hour: u16| {
            let allowed = rates.effective(day * DAY_MINUTES + hour * 60);
            (allowed.up_bytes_per_s, allowed.down_bytes_per_s)
        };
        assert_eq!((at(0, 9), at(5, 9), at(0, 18)), ((1 << 20, 9), (7, 9), (7, 9)));
        assert_eq!((at(6, 23), at(0, 5)), ((0, 0), (0, 0)));
        assert_eq!((rates.per_peer_up, rates.per_peer_down), (5, 0));
        assert_eq!(traffic.at(9 * 60).as_deref(), Some("mon-fri 08:00 to 18:00"));
        assert_eq!(traffic.at(23 * 60).as_deref(), Some("22:00 to 06:00"));
        assert_eq!(traffic.at(20 * 60), None);
    }

    #[test]
    fn wrong_spans_are_explained() {
        for (span, part) in [
            ("from = \"08:00\"\nto = \"18:00\"", "it changes nothing"),
            ("from = \"8:00\"\nto = \"18:00\"\nup = \"1M\"", "from: a time of day is like"),
            ("from = \"08:60\"\nto = \"18:00\"\nup = \"1M\"", "from: a time of day is like"),
            ("from = \"08:00\"\nto = \"24:01\"\nup = \"1M\"", "to: a time of day is like"),
            ("from = 8\nto = \"18:00\"\nup = \"1M\"", "from: it must be a text in quotes"),
            ("to = \"18:00\"\nup = \"1M\"", "\"from\" is missing"),
            (
                "days = \"monday\"\nfrom = \"08:00\"\nto = \"18:00\"\nup = \"1M\"",
                "days: \"monday\" is no day",
            ),
            ("from = \"08:00\"\nto = \"18:00\"\nup = \"fast\"", "up: "),
            ("from = \"08:00\"\nto = \"18:00\"\nupp = \"1M\"", "there is no \"upp\""),
        ] {
            let told = read(&format!("[[hours]]\n{span}\n")).unwrap_err();
            assert!(told.contains(part) && told.starts_with("span 1: "), "{span}: {told}");
        }
        assert!(all(&Value::Integer(3)).unwrap_err().contains("[[hours]]"));
    }
}
