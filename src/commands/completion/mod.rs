//! `cec completion`: the scripts with which shells complete commands, options and paths on the server.

pub mod remote;
pub mod words;

use clap_complete::aot;

use crate::commands::verb::{Offline, OfflineVerb};
use crate::error::{CliError, Outcome};

const EXAMPLES: &str = "\
Examples:
  source <(cec completion bash)                                   # in ~/.bashrc
  source <(cec completion zsh)                                    # in ~/.zshrc, after compinit
  cec completion fish > ~/.config/fish/completions/cec.fish
  cec completion powershell | Out-String | Invoke-Expression      # in $PROFILE
  eval (cec completion elvish | slurp)                            # in rc.elv";

const NOTES: &str = "\
bash, zsh and fish also complete paths on the server. If the server does not answer within a second, they offer \
nothing. Listings are cached for ten seconds; --no-cache or CEC_NO_CACHE=1 turns this off. Completion never renews a \
session.";

/// Arguments of `cec completion`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{NOTES}"))]
pub struct Args {
    /// Shell to complete in
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    #[value(alias = "pwsh")]
    Powershell,
    Elvish,
}

impl OfflineVerb for Args {
    /// Prints the script.
    ///
    /// # Errors
    /// Standard output cannot be written.
    fn run(self, stage: &Offline<'_>) -> Result<Outcome, CliError> {
        let mut tree = (stage.tree)();
        let mut generated = Vec::new();
        let script = match self.shell {
            Shell::Bash => include_str!("cec.bash").as_bytes(),
            Shell::Zsh => include_str!("cec.zsh").as_bytes(),
            Shell::Fish => include_str!("cec.fish").as_bytes(),
            Shell::Powershell => {
                aot::generate(aot::PowerShell, &mut tree, "cec", &mut generated);
                &generated
            }
            Shell::Elvish => {
                aot::generate(aot::Elvish, &mut tree, "cec", &mut generated);
                &generated
            }
        };
        stage.ui.bytes(script)?;
        Ok(Outcome::Done)
    }
}
