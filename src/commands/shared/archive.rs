//! The types of archives, for `cec compress` and `cec extract`.

use crate::error::{CliError, Hint, Kind};
use cells_client::path::RemotePath;

/// The types of archives that the server can create and read.
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

/// The endings of archive names.
const ENDINGS: [(&str, Format); 4] =
    [(".zip", Format::Zip), (".tar.gz", Format::TarGz), (".tgz", Format::TarGz), (".tar", Format::Tar)];

impl Format {
    /// Returns the server's name for the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Tar => "tar",
            Self::TarGz => "tar.gz",
        }
    }

    /// Returns the requested type, or the one in the name of the archive.
    ///
    /// # Errors
    /// [`Kind::Usage`] if neither determines the type.
    pub fn of(asked: Option<Self>, archive: &RemotePath) -> Result<Self, CliError> {
        asked.or(split(archive.name()).map(|(_, format)| format)).ok_or_else(|| {
            CliError::new(Kind::Usage, format!("'{archive}' does not show the format of the archive"))
                .hint("end its name in .zip, .tar or .tar.gz, or add --format")
                .about(archive)
        })
    }
}

/// Returns the path and the type of an archive to create. The server appends the ending of the type to every name that
/// does not end exactly so. This function appends it to names without any, and refuses names that would get a second
/// one.
///
/// # Errors
/// [`Kind::Usage`] if nothing determines the type, or if the name has an ending that would not remain the last one.
pub fn to_make(asked: Option<Format>, archive: &RemotePath) -> Result<(RemotePath, Format), CliError> {
    let format = Format::of(asked, archive)?;
    let ending = format!(".{}", format.name());
    if archive.name().ends_with(&ending) && archive.name() != ending {
        return Ok((archive.clone(), format));
    }
    let parent = archive.parent().unwrap_or_default();
    match split(archive.name()) {
        None => Ok((parent.join(&format!("{}{ending}", archive.name())), format)),
        Some((stem, _)) => {
            let message = format!("the server would name this archive '{archive}{ending}'");
            let better = parent.join(&format!("{stem}{ending}"));
            Err(CliError::new(Kind::Usage, message).hint(format!("name it '{better}'")).about(archive))
        }
    }
}

/// Adds a hint about what a failed job has left behind.
pub fn left_behind(error: CliError, path: &RemotePath, is_there: bool) -> CliError {
    if !is_there {
        return error;
    }
    error.hint(Hint::command(format!("'{path}' is incomplete now; remove it with"), "cec rm", &[path.as_str()]))
}

/// Splits the name of an archive into the part before its ending and the type.
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
    fn archives_are_named_as_the_server_would() {
        let made = |name: &str, format| {
            to_make(format, &RemotePath::root().join("ws").join(name)).map(|(path, _)| path.name().to_owned())
        };
        for (name, format, expected) in [
            ("a.zip", None, Some("a.zip")),
            ("a.tar.gz", None, Some("a.tar.gz")),
            ("a", Some(Format::Zip), Some("a.zip")),
            ("a.bin", Some(Format::TarGz), Some("a.bin.tar.gz")),
            (".zip", Some(Format::Zip), Some(".zip.zip")),
            ("a.ZIP", None, None),
            ("a.tgz", None, None),
            ("a.tar", Some(Format::TarGz), None),
            ("a.tar.gz", Some(Format::Zip), None),
            ("a", None, None),
        ] {
            assert_eq!(made(name, format).ok().as_deref(), expected, "{name} {format:?}");
        }
    }

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
