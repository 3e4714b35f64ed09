//! Changes of complete objects: a list of tags, a user, a public link. The server has no call that changes a part, and
//! none that fails if somebody else was faster, so a change may be lost if another client reads and writes at the same
//! time. Therefore the result is read again, a little later than another client could still write what it has read
//! before, and the change is repeated if it was lost.

use std::time::{Duration, Instant};

use crate::error::{CliError, Kind};

/// The maximum number of rounds.
const ATTEMPTS: u32 = 10;

/// The minimum and the maximum pause before the result is checked. It is a multiple of the time for reading and
/// writing, because other clients need as long.
const SHORTEST_PAUSE: Duration = Duration::from_millis(150);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const TIMES: u32 = 2;

/// Repeats a change until it persists. `round` reads the object and changes it, and returns it as soon as there is
/// nothing more to change.
///
/// # Errors
/// The first failure of a round; [`Kind::Failure`] if others overwrite the change again and again.
pub async fn keep<T>(mut round: impl AsyncFnMut() -> Result<Option<T>, CliError>) -> Result<T, CliError> {
    for _ in 0..ATTEMPTS {
        let begun = Instant::now();
        if let Some(kept) = round().await? {
            return Ok(kept);
        }
        let pause = (begun.elapsed() * TIMES).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        // A random pause, so that clients that have collided once do not collide again.
        tokio::time::sleep(pause.mul_f64(1.0 + rand::random::<f64>())).await;
    }
    Err(CliError::new(Kind::Failure, "somebody else changed it at the same time, so this change was lost")
        .hint("run the command again"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[tokio::test(start_paused = true)]
    async fn a_change_that_was_overwritten_is_repeated() {
        let stored = RefCell::new(vec!["a"]);
        let rounds = RefCell::new(0);
        let kept = keep(async || {
            *rounds.borrow_mut() += 1;
            if stored.borrow().contains(&"mine") {
                return Ok(Some(stored.borrow().clone()));
            }
            let lost = *rounds.borrow() == 1;
            stored.borrow_mut().push(if lost { "theirs" } else { "mine" });
            Ok(None)
        });
        assert_eq!(kept.await.expect("kept"), ["a", "theirs", "mine"]);
        assert_eq!(*rounds.borrow(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_exists_is_not_repeated_and_one_that_never_persists_fails() {
        assert_eq!(keep(async || Ok(Some(1))).await.expect("kept"), 1);
        let error = keep(async || Ok(None::<()>)).await.expect_err("lost");
        assert_eq!(error.kind, Kind::Failure);
        let error = keep(async || Err::<Option<()>, _>(CliError::new(Kind::Auth, "dead"))).await.expect_err("dead");
        assert_eq!(error.kind, Kind::Auth);
    }
}
