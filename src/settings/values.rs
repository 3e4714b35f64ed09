//! Durations, ages and sizes in the forms that people write.

use std::time::Duration;

/// Parses a duration: a number of seconds, or with units as in `90s`, `2m`, `1h 30m`, `500ms`.
///
/// # Errors
/// The text has another form, or the duration is not positive.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = parse_any_duration(text).filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| "expected a duration such as 90s, 2m or 500ms".to_owned())
}

fn parse_any_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => Duration::try_from(text.parse::<jiff::SignedDuration>().ok()?).ok(),
    }
}

/// Parses the longest pause between two attempts, like [`parse_duration`]; 0 means none.
///
/// # Errors
/// The text has another form, or the duration is negative.
pub fn parse_pause(text: &str) -> Result<Duration, String> {
    match parse_any_duration(text) {
        // Unlimited attempts without pauses would keep the processor and the server busy.
        Some(pause) => Ok(pause.max(Duration::from_millis(1))),
        None => Err("expected a duration such as 30s, 2m or 500ms".to_owned()),
    }
}

/// Parses an age, like [`parse_duration`], or with days and weeks as in `7d` and `2w`.
///
/// # Errors
/// The text has another form, or the age is not positive.
pub fn parse_age(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let days = text.strip_suffix('d').map(|days| (days, 1.0)).or(text.strip_suffix('w').map(|weeks| (weeks, 7.0)));
    let expected = || "expected an age such as 90s, 12h, 7d or 2w".to_owned();
    match days.and_then(|(number, days)| Some(number.trim().parse::<f64>().ok()? * days)) {
        Some(days) if days > 0.0 => Duration::try_from_secs_f64(days * 86_400.0).map_err(|_| expected()),
        Some(_) => Err(expected()),
        None => parse_duration(text).map_err(|_| expected()),
    }
}

/// Parses a number of bytes: `1048576`, or with a binary unit as in `10k`, `1.5M`, `2GiB`.
///
/// # Errors
/// The text has another form.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let expected = || "expected a size such as 500, 10k, 1.5M or 2GiB".to_owned();
    let lower = text.trim().to_ascii_lowercase();
    let bare = lower.strip_suffix("ib").or(lower.strip_suffix('b')).unwrap_or(&lower);
    let unit = bare.chars().last().and_then(|last| "kmgtp".find(last));
    let number = if unit.is_some() { &bare[..bare.len() - 1] } else { bare };
    let factor = 1024_u64.pow(unit.map_or(0, |power| u32::try_from(power).unwrap_or(0) + 1));
    if let Ok(whole) = number.trim().parse::<u64>() {
        return whole.checked_mul(factor).ok_or_else(expected);
    }
    let number: f64 = number.trim().parse().map_err(|_| expected())?;
    let bytes = number * factor as f64;
    if bytes.is_finite() && (0.0..1e18).contains(&bytes) { Ok(bytes as u64) } else { Err(expected()) }
}
