//! What `cec compress` and `cec extract` have in common: the kinds of archives.

use crate::error::{CliError, Kind};
use crate::path::RemotePath;

/// The kinds of archives that the server makes and reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// zip
    Zip,
    /// tar
    Tar,
    /// tar, compressed
    #[value(name = "tar.gz", alias = "tgz")]
    TarGz,
}

/// How names of archives end.
const ENDINGS: [(&str, Format); 4] =
    [(".zip", Format::Zip), (".tar.gz", Format::TarGz), (".tgz", Format::TarGz), (".tar", Format::Tar)];

impl Format {
    /// The server's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Tar => "tar",
            Self::TarGz => "tar.gz",
        }
    }

    /// The kind that was asked for, else the one that the name of the archive tells.
    ///
    /// # Errors
    /// [`Kind::Usage`] where it tells none.
    pub fn of(asked: Option<Self>, archive: &RemotePath) -> Result<Self, CliError> {
        asked.or(split(archive.name()).map(|(_, format)| format)).ok_or_else(|| {
            CliError::new(Kind::Usage, format!("'{archive}' does not tell what kind of archive it is"))
                .hint("end its name in .zip, .tar or .tar.gz, or give --format")
                .about(archive)
        })
    }
}

/// The name of an archive without its ending, and what that tells.
pub fn split(name: &str) -> Option<(&str, Format)> {
    let lower = name.to_ascii_lowercase();
    ENDINGS.iter().find_map(|(ending, format)| {
        let stem = name.get(..name.len() - lower.strip_suffix(ending).map(|_| ending.len())?)?;
        (!stem.is_empty()).then_some((stem, *format))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_kinds() {
        assert_eq!(split("a.b.ZIP"), Some(("a.b", Format::Zip)));
        assert_eq!(split("a.tar.gz"), Some(("a", Format::TarGz)));
        assert_eq!(split("a.tgz"), Some(("a", Format::TarGz)));
        assert_eq!(split("a.tar"), Some(("a", Format::Tar)));
        for name in ["a.rar", ".zip", "zip", "a.gz", ""] {
            assert_eq!(split(name), None, "{name}");
        }
    }
}
