//! The `[[hours]]` of `config.toml` replaced; comments, order and everything else stay.

use toml::Table;

use super::hours::{self, Hours};

const HEAD: &str = "[[hours]]";

/// `text` with these spans in the place of those it has. A span that stays keeps its lines, comments and all.
///
/// # Errors
/// Why it cannot be changed by a command.
pub(super) fn replace(text: &str, spans: &[Hours]) -> Result<String, String> {
    let mut found = Found::read(text);
    let mut lines = Vec::new();
    for span in spans {
        match found.blocks.iter().position(|block| block.span.as_ref() == Some(span)) {
            Some(at) => lines.extend(found.blocks.remove(at).lines.into_iter().map(String::from)),
            None => {
                lines.extend([String::new(), HEAD.into()]);
                lines.extend(span.lines());
            }
        }
    }
    let (above, below) = found.others.split_at(found.place);
    let [above, below] = [above, below].map(|part| part.iter().map(|line| (*line).to_string()));
    let after = above.chain(lines).chain(below).collect::<Vec<_>>().join("\n") + "\n";
    check(text, &after, spans).map(|()| after)
}

/// One span as it is written.
struct Block<'a> {
    lines: Vec<&'a str>,
    /// What it says; none where that cannot be told by itself.
    span: Option<Hours>,
}

/// The file, taken apart.
#[derive(Default)]
struct Found<'a> {
    blocks: Vec<Block<'a>>,
    others: Vec<&'a str>,
    /// So many of the others stand above the spans.
    place: usize,
    /// The present line belongs to the last block.
    inside: bool,
    /// Blank lines and comments below a span: they belong to what follows them.
    waiting: Vec<&'a str>,
}

impl<'a> Found<'a> {
    fn read(text: &'a str) -> Self {
        let mut found = Self::default();
        text.lines().for_each(|line| found.take(line));
        found.others.append(&mut found.waiting);
        if found.blocks.is_empty() {
            found.place = found.others.len();
        }
        for block in &mut found.blocks {
            block.span = span_of(&block.lines);
        }
        found
    }

    fn take(&mut self, line: &'a str) {
        let bare = line.trim_start();
        if bare.starts_with(HEAD) {
            if self.blocks.is_empty() {
                // A blank line that sets the first apart goes when it goes.
                let blank = self.others.pop_if(|line| line.trim().is_empty());
                self.waiting.extend(blank);
                self.place = self.others.len();
            }
            let lines = self.waiting.drain(..).chain([line]).collect();
            self.blocks.push(Block { lines, span: None });
            self.inside = true;
        } else if bare.starts_with('[') || !self.inside {
            self.others.append(&mut self.waiting);
            self.others.push(line);
            self.inside = false;
        } else if bare.is_empty() || bare.starts_with('#') {
            self.waiting.push(line);
        } else if let Some(block) = self.blocks.last_mut() {
            block.lines.append(&mut self.waiting);
            block.lines.push(line);
        }
    }
}

fn span_of(lines: &[&str]) -> Option<Hours> {
    let table: Table = lines.join("\n").parse().ok()?;
    hours::all(table.get("hours")?).ok()?.pop()
}

/// A file written in an unusual way must not be broken by a change.
fn check(before: &str, after: &str, spans: &[Hours]) -> Result<(), String> {
    let unusual = || "hours are written in a way that commands cannot change: edit the file".to_string();
    let others = |text: &str| {
        let mut table: Table = text.parse().ok()?;
        table.remove("hours");
        Some(table)
    };
    let kept = others(before).is_some_and(|before| others(after).as_ref() == Some(&before));
    let read = super::parse::parse(after).map_err(|_| unusual())?;
    if kept && read.traffic.hours == spans { Ok(()) } else { Err(unusual()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ui::answers::{HourSpan, Weekday};

    use super::*;

    const ADDED: &str = "\n[[hours]]\ndays = \"mon-wed\"\nfrom = \"08:00\"\nto = \"18:00\"\nup = \"1M\"\n";

    fn span(from: &str, up: u64) -> HourSpan {
        let days = vec![Weekday::Mon, Weekday::Tue, Weekday::Wed];
        HourSpan { days, from: from.into(), to: "18:00".into(), up: Some(up), down: None }
    }

    fn replaced(text: &str, spans: &[HourSpan]) -> Result<String, String> {
        replace(text, &hours::asked(spans).unwrap())
    }

    #[test]
    fn spans_come_and_go_and_all_else_stays() {
        let plain = "# mine\nname = \"a\"\n\nup = \"5M\" # slow line\n";
        let (early, late) = (span("08:00", 1 << 20), span("09:00", 7));
        let one = replaced(plain, std::slice::from_ref(&early)).unwrap();
        assert_eq!(one, format!("{plain}{ADDED}"));
        assert_eq!(replaced(&one, &[]).unwrap(), plain);
        let written = "[[hours]]\nfrom = \"09:00\" # late\nto = \"18:00\"\nup=7\ndays = \"mon-wed\"\n";
        let both =
            replaced(&format!("{plain}# at work\n{written}# the end\n"), &[early.clone(), late]).unwrap();
        assert!(both.starts_with(plain) && both.contains(written) && both.ends_with("# the end\n"), "{both}");
        let changed = replaced(&both, &[early, span("10:00", 7)]).unwrap();
        assert!(changed.contains(ADDED) && !changed.contains("09:00"), "{changed}");
        assert_eq!(replaced(&changed, &[]).unwrap(), format!("{plain}# at work\n# the end\n"));
    }

    #[test]
    fn an_unusual_file_is_left_alone() {
        let inline = "hours = [{ from = '08:00', to = '18:00', up = '1M' }]\n";
        let quoted = "[[\"hours\"]]\nfrom = '08:00'\nto = '18:00'\nup = '1M'\n";
        let in_text = "site = '''\n[[hours]]\n'''\n";
        for text in [inline, quoted, in_text] {
            let told = replaced(text, &[span("09:00", 7)]).unwrap_err();
            assert!(told.contains("edit the file"), "{told}");
        }
    }

    proptest! {
        #[test]
        fn what_is_set_reads_back(
            asked in prop::collection::vec((1_u8..128, 0_u16..1440, 0_u16..=1440, 0_u64..1 << 40), 0..9),
            before in 0_usize..4,
        ) {
            let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            let made = |(days, from, to, up): (u8, u16, u16, u64)| HourSpan {
                days: (0..7).filter(|day| days & 1 << day != 0).map(|day| Weekday::ALL[day]).collect(),
                from: clock(from),
                to: clock(to),
                up: Some(up),
                down: None,
            };
            let spans: Vec<HourSpan> = asked.into_iter().map(made).collect();
            let text = replaced("name = \"a\"\n", &spans[..before.min(spans.len())]).unwrap();
            let after = replaced(&text, &spans).unwrap();
            let read = super::super::parse::parse(&after).unwrap();
            prop_assert_eq!(read.traffic.hours.iter().map(Hours::told).collect::<Vec<_>>(), spans);
        }
    }
}
