//! A sandbox to play with: parses a few options, says how to reach the server, and keeps it
//! running until Ctrl-C.

use std::io::Write;
use std::net::SocketAddr;

use anyhow::{Context as _, bail};

use crate::world::{USERS, WORKSPACES};
use crate::{Config, Sandbox};

/// What `--help` says.
const USAGE: &str = "\
Runs a Pydio Cells server with made-up users and empty workspaces until Ctrl-C.
Everything it stores is gone afterwards.

Usage: cells-sandbox [OPTIONS]

Options:
      --bind <ADDRESS>  Where to listen, for example 127.0.0.1:8080 [default: a free port]
      --tls             Speak TLS, with a certificate of a private authority
      --ca-file <FILE>  With --tls: write the authority's certificate there
      --lax             Look at the access key of S3 requests alone, not at their signatures
      --quick           Report jobs as finished at once
  -h, --help            Print this help
";

/// What the options ask for.
#[derive(Debug, Default)]
struct Options {
    config: Config,
    ca_file: Option<String>,
    help: bool,
}

/// Runs a sandbox as the options say and describes it on `out`; returns after Ctrl-C.
///
/// # Errors
/// An option is unknown, the address is taken, or `out` cannot be written.
pub fn main(arguments: impl Iterator<Item = String>, out: &mut impl Write) -> anyhow::Result<()> {
    let options = parse(arguments)?;
    if options.help {
        out.write_all(USAGE.as_bytes())?;
        return Ok(());
    }
    let sandbox = Sandbox::start(options.config)?;
    sandbox.tree().put("common-files/Welcome.txt", "Hello from the sandbox. Nothing here survives its end.\n")?;
    if let (Some(file), Some(pem)) = (&options.ca_file, sandbox.ca_pem()) {
        std::fs::write(file, pem).with_context(|| format!("cannot write {file}"))?;
    }
    out.write_all(describe(&sandbox, options.ca_file.as_deref()).as_bytes())?;
    out.flush()?;
    wait_for_interrupt()
}

fn parse(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Options> {
    let mut options = Options::default();
    while let Some(argument) = arguments.next() {
        let mut value = || {
            let next = arguments.next();
            next.with_context(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--bind" => {
                let address: SocketAddr =
                    value()?.parse().context("--bind takes an address and a port, such as 127.0.0.1:8080")?;
                options.config.bind = Some(address);
            }
            "--ca-file" => options.ca_file = Some(value()?),
            "--tls" => options.config.tls = true,
            "--lax" => options.config.strict_signatures = false,
            "--quick" => {
                options.config.job_status_delay = std::time::Duration::ZERO;
                options.config.job_effect_delay = std::time::Duration::ZERO;
            }
            "-h" | "--help" => options.help = true,
            other => bail!("unknown option {other}; try --help"),
        }
    }
    if options.ca_file.is_some() && !options.config.tls {
        bail!("--ca-file needs --tls");
    }
    Ok(options)
}

/// Where the server is, who may use it, and what to try.
fn describe(sandbox: &Sandbox, ca_file: Option<&str>) -> String {
    let url = sandbox.url();
    let mut text = format!("A Cells sandbox is running at {url}\n\nUsers:\n");
    for user in &USERS {
        let token = sandbox.token(user.login);
        text += &format!("  {:<6} password {:<16} token {token}\n", user.login, user.password);
    }
    text += "\nWorkspaces:\n";
    for workspace in &WORKSPACES {
        text += &format!("  {:<15} {}\n", workspace.slug, workspace.label);
    }
    let ca = ca_file.map_or_else(String::new, |file| format!("--cacert {file} "));
    let token = sandbox.token("admin");
    text += &format!(
        "\nTry it:\n  export CEC_URL={url} CEC_TOKEN={token}\n  cec ls common-files\n\n  \
         curl {ca}-H \"Authorization: Bearer {token}\" {url}/a/tree/stat/common-files\n\n\
         Ctrl-C stops it; everything it stores is gone then.\n"
    );
    text
}

fn wait_for_interrupt() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::signal::ctrl_c())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> anyhow::Result<Options> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_understood_or_refused() {
        let parsed = options("--bind 127.0.0.1:8080 --lax --tls --ca-file ca.pem").unwrap();
        assert_eq!(parsed.config.bind, Some(([127, 0, 0, 1], 8080).into()));
        assert!(parsed.config.tls && !parsed.config.strict_signatures);
        for line in ["--bind", "--bind nowhere", "--ca-file x", "--nosuch"] {
            assert!(options(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_description_has_all_that_a_client_needs() {
        let sandbox = Sandbox::start(Config::default()).unwrap();
        let text = describe(&sandbox, None);
        for needed in [sandbox.url(), &sandbox.token("alice"), "bob-Passw0rd!", "a1-priv"] {
            assert!(text.contains(needed), "{needed}");
        }
    }
}
