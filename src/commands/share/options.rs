//! The options of a link. All of them are checked here, because the server checks hardly any.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use secrecy::{ExposeSecret as _, SecretString};

use crate::context::Ctx;
use crate::credentials::read_password;
use crate::error::{CliError, Kind};
use crate::settings::parse_duration;
use cells_client::api::share::{Link, LinkWish, Permission};

/// The minimum length of a password.
const SHORTEST_PASSWORD: usize = 6;

/// The minimum length of the last part of a URL, which the server requires.
const SHORTEST_SLUG: usize = 12;

/// The options for new and existing links.
#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// Require a password, read from standard input (asked for on a terminal)
    #[arg(long)]
    pub(super) password_stdin: bool,
    /// Time of expiry: 12h, 7d, 2w, a date such as 2031-05-20, or never
    #[arg(long, value_name = "WHEN", value_parser = parse_expiry)]
    expire: Option<Expiry>,
    /// Maximum number of downloads; 0 for no limit
    #[arg(long, value_name = "N")]
    max_downloads: Option<u64>,
    /// Let visitors upload into the folder
    #[arg(long, overrides_with = "no_upload")]
    upload: bool,
    /// Do not let visitors upload
    #[arg(long)]
    no_upload: bool,
    /// Let visitors download
    #[arg(long, overrides_with = "no_download")]
    download: bool,
    /// Do not let visitors download
    #[arg(long)]
    no_download: bool,
    /// Let visitors view it in the browser
    #[arg(long, overrides_with = "no_preview")]
    preview: bool,
    /// Do not let visitors view it in the browser
    #[arg(long)]
    no_preview: bool,
    /// Name of the link; default: the name of the file or folder
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Purpose of the link
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// Facts about the link in addition to its options.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    /// Whether it is new.
    pub(super) is_new: bool,
    /// Whether it opens a folder.
    pub(super) is_folder: bool,
    /// Whether to remove its password.
    pub(super) drop_password: bool,
}

/// The expiry of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expiry {
    Never,
    At(Timestamp),
}

/// Parses an expiry. A date means the beginning of that day in UTC.
fn parse_expiry(text: &str) -> Result<Expiry, String> {
    let typed = text.trim();
    if typed.eq_ignore_ascii_case("never") {
        return Ok(Expiry::Never);
    }
    let in_utc = |local: DateTime| jiff::tz::Offset::UTC.to_timestamp(local).ok();
    let time = typed
        .parse::<Timestamp>()
        .ok()
        .or_else(|| typed.parse::<DateTime>().ok().and_then(in_utc))
        .or_else(|| typed.parse::<Date>().ok().and_then(|date| in_utc(date.at(0, 0, 0, 0))))
        .or_else(|| from_now(typed));
    match time {
        None => Err("expected a duration such as 12h, 7d or 2w, a date such as 2031-05-20, or never".to_owned()),
        // The server would create a link that nobody can open.
        Some(time) if time <= Timestamp::now() => Err("this is in the past".to_owned()),
        Some(time) => Ok(Expiry::At(time)),
    }
}

/// Parses a time from now: weeks or days, or a duration with units.
fn from_now(text: &str) -> Option<Timestamp> {
    let seconds = match (text.strip_suffix('w'), text.strip_suffix('d')) {
        (Some(weeks), _) => weeks.trim().parse::<u64>().ok()?.checked_mul(7 * 86_400)?,
        (_, Some(days)) => days.trim().parse::<u64>().ok()?.checked_mul(86_400)?,
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => return None,
        _ => parse_duration(text).ok()?.as_secs(),
    };
    let span = jiff::SignedDuration::from_secs(i64::try_from(seconds).ok()?);
    Timestamp::now().checked_add(span).ok()
}

/// Checks the last part of a URL.
///
/// # Errors
/// [`Kind::Usage`] if it is not valid in a URL, or too short for the server.
pub(super) fn check_slug(slug: Option<&str>) -> Result<(), CliError> {
    let Some(slug) = slug else { return Ok(()) };
    let is_plain = slug.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !is_plain || slug.len() < SHORTEST_SLUG {
        let message = format!("'{slug}' is not a valid last part of a URL: use at least 12 letters, digits, - and _");
        return Err(CliError::new(Kind::Usage, message));
    }
    Ok(())
}

impl Common {
    /// Whether no change is requested.
    pub(super) fn is_empty(&self) -> bool {
        let switches = [
            self.password_stdin,
            self.upload,
            self.no_upload,
            self.download,
            self.no_download,
            self.preview,
            self.no_preview,
        ];
        let values =
            self.expire.is_some() || self.max_downloads.is_some() || self.label.is_some() || self.description.is_some();
        !values && !switches.contains(&true)
    }

    /// Checks what can be checked without the server.
    ///
    /// # Errors
    /// [`Kind::Usage`].
    pub(super) fn check(&self, flags: &Flags) -> Result<(), CliError> {
        if self.label.as_ref().is_some_and(|label| label.trim().is_empty()) {
            return Err(CliError::new(Kind::Usage, "the label is empty"));
        }
        if flags.is_new && self.permissions(None).is_empty() {
            return Err(useless());
        }
        Ok(())
    }

    /// Returns the permissions of visitors: the previous ones, or view and download, changed by the options.
    fn permissions(&self, before: Option<&Link>) -> std::collections::BTreeSet<Permission> {
        let mut permissions = match before {
            Some(link) => link.permissions.clone(),
            None => [Permission::Preview, Permission::Download].into(),
        };
        for (permission, yes, no) in [
            (Permission::Preview, self.preview, self.no_preview),
            (Permission::Download, self.download, self.no_download),
            (Permission::Upload, self.upload, self.no_upload),
        ] {
            if yes {
                permissions.insert(permission);
            } else if no {
                permissions.remove(&permission);
            }
        }
        permissions
    }

    /// Returns the new password, if requested.
    ///
    /// # Errors
    /// [`Kind::Usage`] if the password is too weak.
    pub(super) async fn password(&self, ctx: &Ctx) -> Result<Option<SecretString>, CliError> {
        if self.password_stdin { password(ctx).await.map(Some) } else { Ok(None) }
    }

    /// Returns the desired properties of the link.
    ///
    /// # Errors
    /// [`Kind::Usage`] if the options do not fit the node or each other.
    pub(super) fn wish(&self, before: Option<&Link>, flags: &Flags) -> Result<LinkWish, CliError> {
        let mut wish = before.map(Link::wish).unwrap_or_default();
        wish.permissions = self.permissions(before);
        if wish.permissions.is_empty() {
            return Err(useless());
        }
        if wish.permissions.contains(&Permission::Upload) && !flags.is_folder {
            return Err(CliError::new(Kind::Usage, "visitors cannot upload into a file")
                .hint("share the folder that contains it, or omit --upload"));
        }
        match self.expire {
            // The server stores whole seconds.
            Some(Expiry::At(time)) => wish.expires = Timestamp::from_second(time.as_second()).ok(),
            Some(Expiry::Never) => wish.expires = None,
            None => {}
        }
        if let Some(count) = self.max_downloads {
            wish.max_downloads = Some(count).filter(|count| *count > 0);
        }
        if wish.max_downloads.is_some() && !wish.permissions.contains(&Permission::Download) {
            let message = "--max-downloads has no effect if visitors may not download";
            return Err(CliError::new(Kind::Usage, message).hint("add --max-downloads 0 to remove the limit"));
        }
        if let Some(label) = &self.label {
            label.trim().clone_into(&mut wish.label);
        }
        if let Some(description) = &self.description {
            wish.description.clone_from(description);
        }
        if flags.drop_password {
            wish.password = false;
        }
        wish.password |= self.password_stdin;
        Ok(wish)
    }
}

fn useless() -> CliError {
    CliError::new(Kind::Usage, "visitors of this link could do nothing")
        .hint("omit --no-preview or --no-download, or add --upload for a folder")
}

async fn password(ctx: &Ctx) -> Result<SecretString, CliError> {
    let password = read_password(&ctx.ui, &SecretString::from("-")).await?;
    ctx.ui.secrets().keep(&password);
    if password.expose_secret().chars().count() < SHORTEST_PASSWORD {
        let message = format!("the password has fewer than {SHORTEST_PASSWORD} characters");
        return Err(CliError::new(Kind::Usage, message));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_spans_dates_or_never() {
        let after = |seconds: i64| {
            let now = Timestamp::now().as_second();
            move |expiry: Expiry| matches!(expiry, Expiry::At(time) if (time.as_second() - now - seconds).abs() < 60)
        };
        for (text, seconds) in [("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600), ("90m", 5400)] {
            assert!(after(seconds)(parse_expiry(text).expect(text)), "{text}");
        }
        assert_eq!(parse_expiry("never"), Ok(Expiry::Never));
        let date = Timestamp::from_second(4_102_444_800).expect("a time");
        for text in ["2100-01-01", "2100-01-01 00:00:00", "2100-01-01T01:00:00+01:00"] {
            assert_eq!(parse_expiry(text), Ok(Expiry::At(date)), "{text}");
        }
        for text in ["2001-01-01", "0d", "soon", "", "7", "-7d", "99999999999999999999d"] {
            assert!(parse_expiry(text).is_err(), "{text}");
        }
    }

    #[test]
    fn last_parts_of_urls_are_plain() {
        assert!(check_slug(Some("quarterly-report_1")).is_ok());
        for slug in ["short", "with blanks in it", "with/slashes/in", "ümlaut-und-mehr"] {
            assert_eq!(check_slug(Some(slug)).expect_err(slug).kind, Kind::Usage);
        }
    }
}
