//! The system keyring: the Secret Service on Linux, the Keychain on macOS, the Credential Manager on Windows. Its items
//! have the older client's format, so each client reads what the other one wrote.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

pub mod encoding;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(all(unix, not(target_vendor = "apple")))]
mod secret_service;
#[cfg(windows)]
mod windows;

/// How long a keyring may take to answer. After that, it counts as locked or broken.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Errors of the keyring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// There is no keyring on this system, or in this session.
    #[error("there is no system keyring ({0})")]
    Absent(String),
    /// The keyring is locked.
    #[error("the system keyring is locked")]
    Locked,
    /// The keyring does not answer in time. Often it waits for somebody to unlock it.
    #[error("the system keyring does not answer; it may be locked")]
    Silent,
    /// The keyring refused the request.
    #[error("the system keyring failed: {0}")]
    Failed(String),
}

/// A keyring. The user of an item is `<url>::<login>` (see [`encoding::user`]); the service is always the same.
pub trait Keyring: fmt::Debug + Send + Sync {
    /// Returns the secret of a user; `None` if there is none.
    ///
    /// # Errors
    /// See [`KeyringError`].
    fn get(&self, user: &str) -> Result<Option<SecretString>, KeyringError>;

    /// Stores the secret of a user, replacing an older one.
    ///
    /// # Errors
    /// See [`KeyringError`].
    fn set(&self, user: &str, secret: &SecretString) -> Result<(), KeyringError>;

    /// Removes the secret of a user. Returns whether there was one.
    ///
    /// # Errors
    /// See [`KeyringError`].
    fn remove(&self, user: &str) -> Result<bool, KeyringError>;
}

/// Returns the keyring of this system. Each call runs on its own thread, for at most [`PATIENCE`].
pub fn system() -> Arc<dyn Keyring> {
    #[cfg(target_os = "macos")]
    let native: Arc<dyn Keyring> = Arc::new(macos::Keychain);
    #[cfg(windows)]
    let native: Arc<dyn Keyring> = Arc::new(windows::CredentialManager);
    #[cfg(all(unix, not(target_vendor = "apple")))]
    let native: Arc<dyn Keyring> = Arc::new(secret_service::SecretServiceKeyring);
    Arc::new(Limited::new(native, PATIENCE))
}

/// A keyring that is never available.
#[derive(Debug, Clone)]
pub struct NoKeyring {
    /// The reason, for messages.
    pub reason: String,
}

impl NoKeyring {
    /// Creates a keyring that fails with this reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }

    fn absent(&self) -> KeyringError {
        KeyringError::Absent(self.reason.clone())
    }
}

impl Keyring for NoKeyring {
    fn get(&self, _user: &str) -> Result<Option<SecretString>, KeyringError> {
        Err(self.absent())
    }

    fn set(&self, _user: &str, _secret: &SecretString) -> Result<(), KeyringError> {
        Err(self.absent())
    }

    fn remove(&self, _user: &str) -> Result<bool, KeyringError> {
        Err(self.absent())
    }
}

/// A keyring in memory, for tests.
#[derive(Default)]
pub struct MemoryKeyring(Mutex<BTreeMap<String, SecretString>>);

impl fmt::Debug for MemoryKeyring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MemoryKeyring")
    }
}

impl MemoryKeyring {
    fn items(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, SecretString>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keyring for MemoryKeyring {
    fn get(&self, user: &str) -> Result<Option<SecretString>, KeyringError> {
        Ok(self.items().get(user).cloned())
    }

    fn set(&self, user: &str, secret: &SecretString) -> Result<(), KeyringError> {
        self.items().insert(user.to_owned(), secret.clone());
        Ok(())
    }

    fn remove(&self, user: &str) -> Result<bool, KeyringError> {
        Ok(self.items().remove(user).is_some())
    }
}

/// A keyring with a time limit. Each call runs on its own thread, outside of any runtime, because calls to the system
/// may wait for a person, or forever.
#[derive(Debug)]
pub struct Limited {
    inner: Arc<dyn Keyring>,
    patience: Duration,
}

impl Limited {
    /// Limits each call of `inner` to `patience`.
    pub fn new(inner: Arc<dyn Keyring>, patience: Duration) -> Self {
        Self { inner, patience }
    }

    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Keyring) -> Result<T, KeyringError> + Send + 'static,
    ) -> Result<T, KeyringError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let inner = Arc::clone(&self.inner);
        std::thread::Builder::new()
            .name("keyring".to_owned())
            .spawn(move || {
                // If the answer is late, the receiver is gone.
                let _ = answer.send(question(inner.as_ref()));
            })
            .map_err(|error| KeyringError::Failed(error.to_string()))?;
        match answered.recv_timeout(self.patience) {
            Ok(result) => result,
            Err(mpsc::RecvTimeoutError::Timeout) => Err(KeyringError::Silent),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(KeyringError::Failed("it crashed".to_owned())),
        }
    }
}

impl Keyring for Limited {
    fn get(&self, user: &str) -> Result<Option<SecretString>, KeyringError> {
        let user = user.to_owned();
        self.ask(move |keyring| keyring.get(&user))
    }

    fn set(&self, user: &str, secret: &SecretString) -> Result<(), KeyringError> {
        let (user, secret) = (user.to_owned(), secret.clone());
        self.ask(move |keyring| keyring.set(&user, &secret))
    }

    fn remove(&self, user: &str) -> Result<bool, KeyringError> {
        let user = user.to_owned();
        self.ask(move |keyring| keyring.remove(&user))
    }
}

/// Writes, reads and removes a test item.
///
/// # Errors
/// The first of these operations that fails.
pub fn check(keyring: &dyn Keyring) -> Result<(), KeyringError> {
    let user = encoding::user("https://test.example.com", "john.doe");
    let secret = SecretString::from("a test by cec");
    keyring.set(&user, &secret)?;
    let read = keyring.get(&user);
    keyring.remove(&user)?;
    match read? {
        Some(found) if found.expose_secret() == secret.expose_secret() => Ok(()),
        _ => Err(KeyringError::Failed("it does not return what was stored".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Asleep;

    impl Keyring for Asleep {
        fn get(&self, _user: &str) -> Result<Option<SecretString>, KeyringError> {
            std::thread::sleep(Duration::from_secs(60));
            Ok(None)
        }

        fn set(&self, _user: &str, _secret: &SecretString) -> Result<(), KeyringError> {
            panic!("no")
        }

        fn remove(&self, _user: &str) -> Result<bool, KeyringError> {
            Ok(false)
        }
    }

    #[test]
    fn a_keyring_that_hangs_or_breaks_down_is_given_up() {
        let keyring = Limited::new(Arc::new(Asleep), Duration::from_millis(50));
        assert_eq!(keyring.get("u").expect_err("asleep"), KeyringError::Silent);
        let keyring = Limited::new(Arc::new(Asleep), Duration::from_secs(30));
        assert!(matches!(keyring.set("u", &"s".into()), Err(KeyringError::Failed(_))));
        assert_eq!(keyring.remove("u"), Ok(false));
    }

    #[test]
    fn a_check_leaves_nothing_behind() {
        let keyring = MemoryKeyring::default();
        assert_eq!(check(&keyring), Ok(()));
        assert!(keyring.items().is_empty());
        assert!(matches!(check(&NoKeyring::because("a test")), Err(KeyringError::Absent(_))));
    }
}
