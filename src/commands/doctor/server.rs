//! Checks of the server: the connection to it, then the account's access.

use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, TryStreamExt};

use super::local::Subject;
use super::report::Report;
use crate::context::Ctx;
use crate::error::{AFTER_UPGRADE, CliError, Hint, Kind};
use crate::ui::human;
use cells_client::api::Client;
use cells_client::api::frontend::{self, Greeting};
use cells_client::failure::{ServerError, ServerErrorKind};
use cells_client::http::{HttpErrorKind, diagnosis};
use cells_client::path::RemotePath;

/// The tolerated difference between the clocks.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// The number of entries that prove that listings work.
const ENOUGH: usize = 100;

/// How long opening the websocket may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The oldest supported major version of the server.
const OLDEST: u64 = 4;

/// The checks in order. Each depends on the previous ones.
const WAY: [&str; 6] = ["proxy", "dns", "connection", "tls", "server", "clock"];
const INSIDE: [&str; 4] = ["rest", "version", "s3", "websocket"];

/// Checks the server.
pub(super) async fn diagnose(ctx: &Ctx, subject: Option<&Subject>, report: &mut Report<'_>) -> Result<(), CliError> {
    let Some(subject) = subject else {
        return skip(report, WAY.iter().chain(&INSIDE), "no server is known");
    };
    let is_there = way(ctx, subject, report).await?;
    if !is_there {
        return skip(report, INSIDE.iter(), "the server cannot be reached");
    }
    if !subject.has_account {
        return skip(report, INSIDE.iter(), "nobody is signed in");
    }
    inside(ctx, report).await
}

fn skip<'a>(
    report: &mut Report<'_>,
    mut checks: impl Iterator<Item = &'a &'static str>,
    why: &str,
) -> Result<(), CliError> {
    checks.try_for_each(|check| report.passed_over(check, why))
}

/// Checks the connection. Returns whether a Cells server answers.
async fn way(ctx: &Ctx, subject: &Subject, report: &mut Report<'_>) -> Result<bool, CliError> {
    let (url, proxy) = (&subject.url, subject.http.proxy_of(&subject.url));
    match &proxy {
        Some(proxy) => report.ok("proxy", format!("requests to {url} go through the proxy {proxy}"))?,
        None => report.ok("proxy", "none")?,
    }
    if let Some(address) = url.address() {
        report.skipped("dns", format!("{address} is an address, not a name"), None)?;
    } else if proxy.is_some() {
        report.skipped("dns", format!("the proxy resolves {}", url.host()), None)?;
    } else {
        match diagnosis::addresses(url, ctx.settings.connection.connect_timeout).await {
            Ok(found) => {
                let found: Vec<String> = found.iter().map(ToString::to_string).collect();
                report.ok("dns", format!("{} is {}", url.host(), found.join(", ")))?;
            }
            Err(error) => {
                report.failed("dns", error)?;
                skip(report, WAY[2..].iter(), "the name of the server cannot be resolved")?;
                return Ok(false);
            }
        }
    }
    let result = frontend::probe(&subject.http, url).await;
    let here = SystemTime::now();
    judge(subject, result, here, report)
}

/// Derives the state of the connection, TLS, the server and the clocks from the first answer, or from its absence.
fn judge(
    subject: &Subject,
    result: Result<Greeting, ServerError>,
    here: SystemTime,
    report: &mut Report<'_>,
) -> Result<bool, CliError> {
    let fault = result.as_ref().err().and_then(ServerError::http).map(|error| error.kind);
    let answers = format!("{}:{} answers", subject.url.host(), subject.url.port());
    match (fault, result) {
        (Some(HttpErrorKind::Tls), Err(error)) => {
            report.ok("connection", answers)?;
            report.failed("tls", error)?;
            skip(report, WAY[4..].iter(), "there is no secure connection")?;
            Ok(false)
        }
        (None | Some(HttpErrorKind::Redirect), result) => {
            report.ok("connection", answers)?;
            tls(subject, report)?;
            answered(subject, result, here, report)
        }
        (Some(_), result) => {
            result.map_or_else(|error| report.failed("connection", error), |_| Ok(()))?;
            skip(report, WAY[3..].iter(), "there is no connection")?;
            Ok(false)
        }
    }
}

fn tls(subject: &Subject, report: &mut Report<'_>) -> Result<(), CliError> {
    let url = &subject.url;
    match (url.is_https(), url.is_loopback()) {
        (true, _) if subject.skip_verify => report.warning(
            "tls",
            format!("the certificate of {url} is not checked: an attacker in between can read everything"),
            "omit --skip-verify; if the server has its own certificate authority, add --ca-cert FILE",
        ),
        (true, _) => report.ok("tls", "the certificate is trusted"),
        (false, true) => report.skipped("tls", "not used: the server is on this machine", None),
        (false, false) => report.warning(
            "tls",
            format!("{url} is not encrypted: secrets and files can be read on the way"),
            format!("use {}, if the server has TLS", url.origin().replacen("http://", "https://", 1)),
        ),
    }
}

fn answered(
    subject: &Subject,
    result: Result<Greeting, ServerError>,
    here: SystemTime,
    report: &mut Report<'_>,
) -> Result<bool, CliError> {
    match result {
        Ok(greeting) => {
            report.ok("server", format!("a Cells server answers at {}", subject.url))?;
            clock(greeting.time, here, report)?;
            Ok(true)
        }
        Err(error) => {
            report.failed("server", error)?;
            skip(report, WAY[5..].iter(), "no Cells server answers")?;
            Ok(false)
        }
    }
}

fn clock(there: Option<SystemTime>, here: SystemTime, report: &mut Report<'_>) -> Result<(), CliError> {
    let Some(there) = there else {
        return report.skipped("clock", "the server does not report its time", None);
    };
    let (apart, which) = match here.duration_since(there) {
        Ok(apart) => (apart, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if apart <= CLOCK_TOLERANCE {
        return report.ok("clock", "the clocks of this machine and the server differ by less than a minute");
    }
    report.warning(
        "clock",
        format!("this machine's clock is {} {which} the server's", human::duration(apart)),
        "correct the wrong clock; cec adjusts for it, but certificates, sessions and other programs do not",
    )
}

/// Checks the account's access.
async fn inside(ctx: &Ctx, report: &mut Report<'_>) -> Result<(), CliError> {
    let api = ctx.api().await?;
    match rest(api, report).await {
        Ok(true) => {}
        Ok(false) => return skip(report, INSIDE[1..].iter(), "nobody is signed in"),
        Err(error) => {
            report.failed("rest", error)?;
            return skip(report, INSIDE[1..].iter(), "the server refuses what is asked of it");
        }
    }
    version(api, report).await?;
    // There are few workspaces, and an endless list would prove nothing more.
    let listed = ctx.s3().await?.list(&RemotePath::root()).take(ENOUGH);
    match listed.try_for_each(async |_| Ok(())).await {
        Ok(()) => report.ok("s3", "the gateway accepts signed requests")?,
        Err(error) => report.failed("s3", error)?,
    }
    match tokio::time::timeout(PATIENCE, api.events()).await {
        Ok(Ok(_)) => report.ok("websocket", "connected: finished jobs are reported at once"),
        Ok(Err(error)) => without_websocket(&error.message, report),
        Err(_) => without_websocket("it does not connect in time", report),
    }
}

fn without_websocket(why: &str, report: &mut Report<'_>) -> Result<(), CliError> {
    report.warning(
        "websocket",
        why,
        "allow websockets at /ws/event in proxies; without them cp, mv and rm take some seconds longer",
    )
}

/// Whether the credentials are valid.
async fn rest(api: &Client, report: &mut Report<'_>) -> Result<bool, CliError> {
    let Some(user) = api.user().await? else {
        let error = CliError::new(Kind::Auth, "the credentials are not valid or have expired");
        report.failed("rest", error.hint(Hint::SignIn).hint(AFTER_UPGRADE))?;
        return Ok(false);
    };
    let count = api.workspaces().await?.len();
    let workspaces = if count == 1 { "workspace" } else { "workspaces" };
    let admin = if user.admin { " (administrator)" } else { "" };
    let finding = format!("signed in as {}{admin}, {count} {workspaces}", user.login);
    if user.must_change_password {
        report.warning("rest", finding, "the server requires a new password: set one in its web interface")?;
    } else {
        report.ok("rest", finding)?;
    }
    Ok(true)
}

async fn version(api: &Client, report: &mut Report<'_>) -> Result<(), CliError> {
    let server = match api.server_info().await {
        Ok(server) => server,
        Err(ServerError { kind: ServerErrorKind::Forbidden, .. }) => Default::default(),
        Err(error) => return report.failed("version", error),
    };
    let product = server.product.unwrap_or_else(|| "Pydio Cells".to_owned());
    let Some(version) = server.version else {
        return report.skipped("version", format!("{product}; it shows its version to administrators only"), None);
    };
    let major = version.trim_start_matches('v').split('.').next().and_then(|text| text.parse::<u64>().ok());
    if major.is_some_and(|major| major < OLDEST) {
        let hint = format!("this program supports {OLDEST}.0 and later; some commands will not work");
        return report.warning("version", format!("{product} {version}"), hint);
    }
    report.ok("version", format!("{product} {version}"))
}
