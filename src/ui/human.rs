//! Sizes and times for people.

use jiff::Timestamp;

/// Bytes with a unit: `4 B`, `41.2 MiB`, `118 GiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = count as f64;
    let mut unit = 0;
    // What would be shown as 1024 of a unit is 1.0 of the next.
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value < 99.95 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// How long ago something was: `now`, `3 minutes ago`, `2 years ago`; `in 5 minutes` for what lies ahead.
pub fn ago(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - time.as_second();
    let span = span(seconds.unsigned_abs());
    match (span, seconds) {
        (None, _) => "now".to_owned(),
        (Some(span), 0..) => format!("{span} ago"),
        (Some(span), _) => format!("in {span}"),
    }
}

fn span(seconds: u64) -> Option<String> {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let (count, unit) = match seconds {
        0..5 => return None,
        5..MINUTE => (seconds, "second"),
        MINUTE..HOUR => (seconds / MINUTE, "minute"),
        HOUR..DAY => (seconds / HOUR, "hour"),
        _ if seconds < 14 * DAY => (seconds / DAY, "day"),
        _ if seconds < 60 * DAY => (seconds / (7 * DAY), "week"),
        _ if seconds < 730 * DAY => (seconds / (30 * DAY), "month"),
        _ => (seconds / (365 * DAY), "year"),
    };
    Some(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits_and_a_unit() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (43_200_000, "41.2 MiB"),
            (123_731_968, "118 MiB"),
            (1_073_741_823, "1.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn times_are_relative() {
        let now = Timestamp::from_second(2_000_000_000).expect("a time");
        for (seconds, text) in [
            (0, "now"),
            (-3, "now"),
            (59, "59 seconds ago"),
            (60, "1 minute ago"),
            (7200, "2 hours ago"),
            (86_400, "1 day ago"),
            (20 * 86_400, "2 weeks ago"),
            (100 * 86_400, "3 months ago"),
            (800 * 86_400, "2 years ago"),
            (-300, "in 5 minutes"),
        ] {
            let time = Timestamp::from_second(now.as_second() - seconds).expect("a time");
            assert_eq!(ago(time, now), text);
        }
    }
}
