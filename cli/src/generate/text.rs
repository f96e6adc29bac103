//! Writing a history as csv or JSON lines.

use std::io::{self, Write};

use super::lifecycle::{Contact, START_SECONDS};
use super::linked::{self, Linked};
use super::vocabulary::{CHANNELS, KINDS, STAGES, TOPICS};
use crate::civil::{DAY_MS, civil_from_days};

/// The columns, in order.
pub(crate) const HEADERS: [&str; 11] = [
    "customer_id",
    "ts",
    "channel",
    "stage",
    "event",
    "topic",
    "case_id",
    "agent",
    "sentiment",
    "csat",
    "resolved",
];

/// The word of a code.
pub(crate) fn word(words: &[&'static str], code: u8) -> &'static str {
    words.get(usize::from(code)).copied().unwrap_or_default()
}

/// Writes `crm:1000001`.
pub(crate) fn write_customer(text: &mut Vec<u8>, contact: &Contact) {
    // Writing to a Vec cannot fail.
    let _ = write!(text, "crm:{}", 1_000_001 + u64::from(contact.customer));
}

/// Writes `C1000001-3`, or nothing.
pub(crate) fn write_case(text: &mut Vec<u8>, contact: &Contact) {
    if contact.case > 0 {
        let _ = write!(text, "C{}-{}", 1_000_001 + u64::from(contact.customer), contact.case);
    }
}

/// Writes `agent 17`, or nothing.
pub(crate) fn write_agent(text: &mut Vec<u8>, agent: u16) {
    if agent > 0 {
        let _ = write!(text, "agent {agent}");
    }
}

fn write_sentiment(text: &mut Vec<u8>, sentiment: i8) {
    if sentiment != i8::MIN {
        let sign = if sentiment < 0 { "-" } else { "" };
        let _ =
            write!(text, "{sign}{}.{:02}", sentiment.unsigned_abs() / 100, sentiment.unsigned_abs() % 100);
    }
}

/// The date of the row before, which most rows share.
#[derive(Default)]
pub(crate) struct Clock {
    day: Option<i64>,
    date: Vec<u8>,
}

impl Clock {
    fn write(&mut self, text: &mut Vec<u8>, second: u32) {
        let at = START_SECONDS + i64::from(second);
        let (day, second) = (at.div_euclid(DAY_MS / 1_000), at.rem_euclid(DAY_MS / 1_000));
        if self.day != Some(day) {
            let (year, month, date) = civil_from_days(day);
            self.day = Some(day);
            self.date = format!("{year:04}-{month:02}-{date:02}T").into_bytes();
        }
        text.extend_from_slice(&self.date);
        let two = |number: i64| [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        text.extend_from_slice(&two(second / 3_600));
        text.push(b':');
        text.extend_from_slice(&two(second / 60 % 60));
        text.push(b':');
        text.extend_from_slice(&two(second % 60));
        text.push(b'Z');
    }
}

/// A header and a line an interaction.
pub(crate) fn csv<'a>(
    out: &mut dyn Write,
    contacts: impl Iterator<Item = &'a Contact>,
    linked: Option<Linked>,
) -> io::Result<()> {
    out.write_all(HEADERS.join(",").as_bytes())?;
    for header in linked.iter().flat_map(|_| linked::HEADERS) {
        write!(out, ",{header}")?;
    }
    out.write_all(b"\n")?;
    let (mut clock, mut line) = (Clock::default(), Vec::with_capacity(256));
    for contact in contacts {
        line.clear();
        let carried = linked.map(|linked| linked.carried(contact));
        if carried.is_none_or(|carried| carried.customer) {
            write_customer(&mut line, contact);
        }
        line.push(b',');
        clock.write(&mut line, contact.second);
        for word in [
            word(&CHANNELS, contact.channel),
            word(&STAGES, contact.stage),
            word(&KINDS, contact.kind),
            word(&TOPICS, contact.topic),
        ] {
            line.push(b',');
            line.extend_from_slice(word.as_bytes());
        }
        line.push(b',');
        write_case(&mut line, contact);
        line.push(b',');
        write_agent(&mut line, contact.agent);
        line.push(b',');
        write_sentiment(&mut line, contact.sentiment);
        line.push(b',');
        if contact.csat > 0 {
            line.push(b'0' + contact.csat);
        }
        line.push(b',');
        line.extend_from_slice(
            contact.resolved.map_or("", |resolved| if resolved { "true" } else { "false" }).as_bytes(),
        );
        for place in carried.iter().flat_map(|_| 0..linked::HEADERS.len()) {
            line.push(b',');
            if let Some(carried) = &carried {
                carried.write(place, &mut line);
            }
        }
        line.push(b'\n');
        out.write_all(&line)?;
    }
    Ok(())
}

/// An object a line; what has no value is left out.
pub(crate) fn json_lines<'a>(
    out: &mut dyn Write,
    contacts: impl Iterator<Item = &'a Contact>,
    linked: Option<Linked>,
) -> io::Result<()> {
    let (mut clock, mut line) = (Clock::default(), Vec::with_capacity(512));
    for contact in contacts {
        line.clear();
        let carried = linked.map(|linked| linked.carried(contact));
        line.push(b'{');
        if carried.is_none_or(|carried| carried.customer) {
            line.extend_from_slice(b"\"customer_id\":\"");
            write_customer(&mut line, contact);
            line.extend_from_slice(b"\",");
        }
        line.extend_from_slice(b"\"ts\":\"");
        clock.write(&mut line, contact.second);
        let _ = write!(
            line,
            "\",\"channel\":\"{}\",\"stage\":\"{}\",\"event\":\"{}\",\"topic\":\"{}\"",
            word(&CHANNELS, contact.channel),
            word(&STAGES, contact.stage),
            word(&KINDS, contact.kind),
            word(&TOPICS, contact.topic)
        );
        if contact.case > 0 {
            line.extend_from_slice(b",\"case_id\":\"");
            write_case(&mut line, contact);
            line.push(b'"');
        }
        if contact.agent > 0 {
            line.extend_from_slice(b",\"agent\":\"");
            write_agent(&mut line, contact.agent);
            line.push(b'"');
        }
        if contact.sentiment != i8::MIN {
            line.extend_from_slice(b",\"sentiment\":");
            write_sentiment(&mut line, contact.sentiment);
        }
        if contact.csat > 0 {
            let _ = write!(line, ",\"csat\":{}", contact.csat);
        }
        if let Some(resolved) = contact.resolved {
            let _ = write!(line, ",\"resolved\":{resolved}");
        }
        for (place, header) in linked::HEADERS.iter().enumerate() {
            let mut text = Vec::new();
            carried.iter().for_each(|carried| carried.write(place, &mut text));
            if !text.is_empty() {
                let _ = write!(line, ",\"{header}\":\"");
                line.append(&mut text);
                line.push(b'"');
            }
        }
        line.extend_from_slice(b"}\n");
        out.write_all(&line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::history::History;
    use super::*;

    #[test]
    fn the_same_bytes_for_the_same_seed() {
        let mut out = Vec::new();
        csv(&mut out, History::new(200, 7, 2).iter(), None).expect("writes");
        let text = String::from_utf8(out).expect("is text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], HEADERS.join(","));
        assert!(lines.iter().all(|line| line.matches(',').count() == 10));
        // FNV-1a of the whole file: a change of the model, the numbers or the
        // writer changes every published history and must be meant.
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        assert_eq!(hash, 13_368_832_906_277_384_702, "{}", lines[1]);
    }

    #[test]
    fn json_lines_are_json() {
        let mut out = Vec::new();
        json_lines(&mut out, History::new(50, 7, 1).iter(), None).expect("writes");
        for line in String::from_utf8(out).expect("is text").lines() {
            let value: serde_json::Value = serde_json::from_str(line).expect(line);
            assert!(value["customer_id"].as_str().is_some_and(|id| id.starts_with("crm:1000")));
        }
    }
}
