//! Data sources: the storages behind the workspaces.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Client;
use super::jobs::JobId;
use super::wire::list;
use crate::failure::{ServerError, ServerErrorKind};
use crate::path::encode_segment;

/// A data source. The storage credentials in the server's answer are never read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSource {
    /// The name.
    pub name: String,
    /// The type of the storage: `LOCAL`, `S3`, …
    pub storage: String,
    /// The folder on the server's disk, or the bucket.
    pub place: String,
    /// Whether the data source is disabled.
    pub disabled: bool,
    /// Whether only the index contains the names of files. Structured storage (false) stores files under their names.
    pub flat: bool,
    /// The encryption mode; empty without encryption.
    pub encryption: String,
    /// The versioning policy; empty without versioning.
    pub versioning: String,
    /// Whether the server uses the data source for its own purposes.
    pub internal: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ListAnswer {
    #[serde(deserialize_with = "list")]
    data_sources: Vec<WireSource>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct WireSource {
    name: String,
    storage_type: Value,
    storage_configuration: Option<BTreeMap<String, Value>>,
    objects_bucket: String,
    disabled: bool,
    flat_storage: bool,
    encryption_mode: Value,
    versioning_policy_name: String,
}

impl WireSource {
    fn into_source(self) -> DataSource {
        let configuration = self.storage_configuration.unwrap_or_default();
        let configured = |name: &str| configuration.get(name).and_then(Value::as_str).unwrap_or_default();
        let name = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let storage = match name(&self.storage_type) {
            none if none.is_empty() => "LOCAL".to_owned(),
            storage => storage,
        };
        let folder = configured("folder");
        DataSource {
            place: if folder.is_empty() { self.objects_bucket } else { folder.to_owned() },
            name: self.name,
            storage,
            disabled: self.disabled,
            flat: self.flat_storage,
            encryption: Some(name(&self.encryption_mode)).filter(|mode| mode != "CLEAR").unwrap_or_default(),
            versioning: self.versioning_policy_name,
            internal: configured("cellsInternal") == "true",
        }
    }
}

impl Client {
    /// Returns all data sources, in the server's order. Requires an administrator.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn data_sources(&self) -> Result<Vec<DataSource>, ServerError> {
        let answer: ListAnswer = self.get("/a/config/datasource").await?;
        super::never_empty(answer.data_sources.into_iter().map(WireSource::into_source).collect(), "data sources")
    }

    /// Returns the data source with this name. Requires an administrator.
    ///
    /// # Errors
    /// [`crate::failure::ServerErrorKind::NotFound`] if there is none; any failure of the call.
    pub async fn data_source(&self, name: &str) -> Result<DataSource, ServerError> {
        super::idm::check_exact(name)?;
        let source: WireSource = self.get(&format!("/a/config/datasource/{}", encode_segment(name))).await?;
        let source = source.into_source();
        if source.name != name {
            let message = format!("there is no data source '{name}'");
            return Err(ServerError::new(ServerErrorKind::NotFound, message));
        }
        Ok(source)
    }

    /// Starts the job that synchronizes the index of a data source with its storage. The server accepts any name, so
    /// check first that the data source exists.
    ///
    /// # Errors
    /// As [`Client::run_job`].
    pub async fn resync(&self, name: &str) -> Result<JobId, ServerError> {
        self.run_job("datasource-resync", &json!({"dsName": name})).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::error::classify;
    use crate::auth::recording::answer;

    #[test]
    fn recorded_data_sources_are_read_without_their_keys() {
        let body = answer("54-datasources").body;
        assert!(String::from_utf8_lossy(&body).contains("ApiSecret"));
        let list: ListAnswer = serde_json::from_slice(&body).expect("data sources");
        let sources: Vec<DataSource> = list.data_sources.into_iter().map(WireSource::into_source).collect();
        assert_eq!(sources.len(), 5);
        assert_eq!(
            sources[0],
            DataSource {
                name: "pydiods1".to_owned(),
                storage: "LOCAL".to_owned(),
                place: "/var/cells/data/pydiods1".to_owned(),
                disabled: false,
                flat: true,
                encryption: String::new(),
                versioning: String::new(),
                internal: false,
            }
        );
        assert!(sources[3].internal);
        assert!(!format!("{sources:?}").contains("API"));
    }

    #[test]
    fn a_missing_permission_is_not_a_dead_token() {
        assert_eq!(classify(&answer("55-datasource-alice")).kind, ServerErrorKind::Forbidden);
        assert_eq!(classify(&answer("56-datasource-missing")).kind, ServerErrorKind::NotFound);
    }
}
