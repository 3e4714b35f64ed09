//! Sizes and times for human readers.

use std::time::Duration;

use jiff::Timestamp;

/// Returns a size with a unit: `4 B`, `41.2 MiB`, `118 GiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = count as f64;
    let mut unit = 0;
    // A value that would be rounded to 1024 becomes 1.0 of the next unit.
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value < 99.95 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// Returns a number with separated thousands: `310,344`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a duration: `0.4s`, `38s`, `24m10s`, `3h05m`, `2d4h`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", duration.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Returns a time relative to now: `now`, `3 minutes ago`, `2 years ago`; `in 5 minutes` for the future.
pub fn ago(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - time.as_second();
    // Something that expires in seven days must not be shown as six just because a moment has passed.
    let slack = if seconds < -3600 { 60 } else { 0 };
    let span = span(seconds.unsigned_abs() + slack);
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
    fn numbers_and_durations() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (310_344, "310,344"), (1_234_567, "1,234,567")]
        {
            assert_eq!(count(number), text);
        }
        for (seconds, text) in
            [(0.04, "0.0s"), (9.5, "9.5s"), (38.9, "38s"), (1450.0, "24m10s"), (11_100.0, "3h05m"), (187_200.0, "2d4h")]
        {
            assert_eq!(duration(Duration::from_secs_f64(seconds)), text);
        }
    }

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
            (3 - 7 * 86_400, "in 7 days"),
            (-6 * 86_400 - 3600, "in 6 days"),
        ] {
            let time = Timestamp::from_second(now.as_second() - seconds).expect("a time");
            assert_eq!(ago(time, now), text);
        }
    }
}
