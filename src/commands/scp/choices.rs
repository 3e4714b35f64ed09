//! The possible values of options of `cec scp`.

use std::str::FromStr;

use cells_client::transfer::IfExists;
use cells_client::walk::local::LinkPolicy;

/// The events of multipart uploads that the older client can log, by their names in its documentation.
const EVENTS: [&str; 9] = [
    "signing",
    "retries",
    "request",
    "request_with_body",
    "response",
    "response_with_body",
    "deprecated_usage",
    "request_event_message",
    "response_event_message",
];

/// A selection of these events, as in `signing | retries`. It makes no difference which ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DebugEvents(pub(super) Vec<&'static str>);

impl FromStr for DebugEvents {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = text.split(['|', ',']).map(str::trim).filter(|word| !word.is_empty());
        let known = words.map(|word| {
            let event = EVENTS.iter().find(|event| **event == word).copied();
            event.ok_or_else(|| format!("'{word}' is not one of {}", EVENTS.join(", ")))
        });
        known.collect::<Result<_, _>>().map(Self)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum IfExistsArg {
    /// Count the file as failed
    Fail,
    /// Keep the existing file
    Skip,
    /// Replace the existing file
    Overwrite,
    /// Replace the existing file if the source is newer
    Update,
    /// Write the source beside the existing file, under a free name
    Rename,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LinksArg {
    /// Copy what they point to
    Follow,
    /// Skip them
    Skip,
    /// Count each as failed
    Error,
}

impl From<IfExistsArg> for IfExists {
    fn from(argument: IfExistsArg) -> Self {
        match argument {
            IfExistsArg::Fail => Self::Fail,
            IfExistsArg::Skip => Self::Skip,
            IfExistsArg::Overwrite => Self::Overwrite,
            IfExistsArg::Update => Self::Update,
            IfExistsArg::Rename => Self::Rename,
        }
    }
}

impl From<LinksArg> for LinkPolicy {
    fn from(argument: LinksArg) -> Self {
        match argument {
            LinksArg::Follow => Self::Follow,
            LinksArg::Skip => Self::Skip,
            LinksArg::Error => Self::Error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_the_older_client_documents_them() {
        let read = |text: &str| text.parse::<DebugEvents>().map(|DebugEvents(events)| events);
        assert_eq!(read("signing | retries"), Ok(vec!["signing", "retries"]));
        assert_eq!(read("request|response_with_body"), Ok(vec!["request", "response_with_body"]));
        assert_eq!(read("request,retries"), Ok(vec!["request", "retries"]));
        assert_eq!(read(""), Ok(vec![]));
        assert!(read("signing | retry").expect_err("no event").contains("'retry' is not one of signing, retries,"));
    }
}
