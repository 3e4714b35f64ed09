//! Paginated listings as streams.
//!
//! The server's pages overlap: it removes children whose name starts with a dot from a page, fills the page up from the
//! following ones, and sends those children again later. So the offset grows by the limit, the total ends the listing,
//! and each node is returned once.
//!
//! Pages are requested ahead. A page that does not fit into memory is dropped and requested again in its turn, in
//! smaller parts if necessary.

use std::collections::HashSet;
use std::future::{self, Future};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};

use super::room::{Held, When};
use super::{ServerError, ServerErrorKind};

/// The number of parts of a page that is too large.
const PARTS: u64 = 5;

/// One page of a listing.
#[derive(Debug)]
pub struct Page<T> {
    /// The items of the page, without hidden names. Items of later pages may be among them.
    pub items: Vec<T>,
    /// The total number of items, including hidden ones; `None` if this page is the complete list.
    pub total: Option<u64>,
    /// The memory reservation of the page, released with its last item.
    pub held: Held,
}

/// The maximum number of consecutive pages without visible items. No folder has that many hidden names, and a made-up
/// total might never end.
const MOST_EMPTY: u64 = 1000;

/// Counts consecutive empty pages.
#[derive(Debug, Default)]
pub(super) struct EmptyPages(AtomicU64);

impl EmptyPages {
    /// Counts a page.
    ///
    /// # Errors
    /// [`ServerErrorKind::NotCells`] after too many consecutive empty pages.
    pub(super) fn note(&self, is_empty: bool) -> Result<(), ServerError> {
        if !is_empty {
            self.0.store(0, Ordering::Relaxed);
        } else if self.0.fetch_add(1, Ordering::Relaxed) >= MOST_EMPTY {
            let message = "the server counts many more entries than it lists";
            return Err(ServerError::new(ServerErrorKind::NotCells, message));
        }
        Ok(())
    }
}

/// The page sizes of a listing.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// The limit of the first page. It is requested alone, because it contains the total.
    pub first: u64,
    /// The limit of all other pages.
    pub others: u64,
    /// The number of pages to request at the same time.
    pub at_once: usize,
}

/// Returns the items of all pages in order, each once. `fetch` receives the offset and the limit and returns `None` if
/// there is no memory for the page; it must not do so if the page is needed now and the limit is 1. `identity` returns
/// the identity of an item. `total` starts at zero and grows to the total that pages report; it stays zero if the first
/// page is the complete list.
pub fn items<T, E, Fetch, Answer, Identity>(
    cut: Cut,
    fetch: Fetch,
    identity: Identity,
    total: Arc<AtomicU64>,
) -> impl Stream<Item = Result<T, E>> + Send + 'static
where
    T: Send + 'static,
    E: Send + 'static,
    Fetch: Fn(u64, u64, When) -> Answer + Clone + Send + Sync + 'static,
    Answer: Future<Output = Result<Option<Page<T>>, E>> + Send + 'static,
    Identity: Fn(&T) -> u128 + Send + 'static,
{
    let first = page_in_turn(fetch.clone(), 0, cut.first, total.clone());
    let (known, mut next) = (total.clone(), cut.first);
    let offsets = stream::iter(std::iter::from_fn(move || {
        let offset = next;
        next = next.saturating_add(cut.others);
        (offset < known.load(Ordering::Relaxed)).then_some(offset)
    }));
    let (ahead, known) = (fetch.clone(), total.clone());
    let pages = offsets.map(move |offset| {
        let page = ahead(offset, cut.others, When::Ahead);
        async move { (offset, page.await) }
    });
    let rest = pages.buffered(cut.at_once).flat_map(move |(offset, page)| match page.transpose() {
        Some(page) => stream::once(future::ready(page)).left_stream(),
        None => page_in_turn(fetch.clone(), offset, cut.others, known.clone()).right_stream(),
    });
    let mut seen = Seen::default();
    first
        .chain(rest)
        .inspect_ok(move |page| {
            // Entries may be added during the listing.
            total.fetch_max(page.total.unwrap_or(0), Ordering::Relaxed);
        })
        .map_ok(move |Page { items, held, .. }| {
            let fresh = seen.new_ones(items, &identity);
            stream::iter(fresh.into_iter().map(move |item| {
                let _held = &held;
                Ok(item)
            }))
        })
        .try_flatten()
}

/// Returns the page whose turn it is, in as many parts as necessary.
fn page_in_turn<T, E, Fetch, Answer>(
    fetch: Fetch,
    offset: u64,
    limit: u64,
    total: Arc<AtomicU64>,
) -> impl Stream<Item = Result<Page<T>, E>> + Send + 'static
where
    T: Send + 'static,
    E: Send + 'static,
    Fetch: Fn(u64, u64, When) -> Answer + Clone + Send + Sync + 'static,
    Answer: Future<Output = Result<Option<Page<T>>, E>> + Send + 'static,
{
    let end = offset.saturating_add(limit);
    stream::try_unfold((offset, limit), move |(at, mut part)| {
        let (fetch, total) = (fetch.clone(), total.clone());
        async move {
            // The previous parts may have reported a new total.
            while at < end && (at == offset || at < total.load(Ordering::Relaxed)) {
                let limit = part.min(end - at);
                if let Some(page) = fetch(at, limit, When::Now).await? {
                    return Ok(Some((page, (at + limit, part))));
                }
                part = limit.div_ceil(PARTS);
            }
            Ok(None)
        }
    })
}

/// The identities of returned items, as far back as pages may overlap.
///
/// An answer that was filled up covers complete pages without a gap. So a page that repeats nothing is beyond the reach
/// of every earlier answer, and everything before it can be forgotten.
#[derive(Debug, Default)]
struct Seen {
    identities: HashSet<u128>,
}

impl Seen {
    fn new_ones<T>(&mut self, items: Vec<T>, identity: impl Fn(&T) -> u128) -> Vec<T> {
        let own: Vec<u128> = items.iter().map(identity).collect();
        let repeats = own.iter().any(|one| self.identities.contains(one));
        if !repeats && !own.is_empty() {
            self.identities.clear();
        }
        let fresh = items.into_iter().zip(own).filter(|(_, identity)| self.identities.insert(*identity));
        fresh.map(|(item, _)| item).collect()
    }
}

/// Returns a UUID as a number, and the hash of any other text.
pub(super) fn identity_of(uuid: &str) -> u128 {
    let digits: String = uuid.chars().filter(|character| *character != '-').collect();
    if digits.len() == 32
        && let Ok(number) = u128::from_str_radix(&digits, 16)
    {
        return number;
    }
    let mut hasher = DefaultHasher::new();
    uuid.hash(&mut hasher);
    u128::from(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Imitates a server that removes hidden names from its pages and fills them up from the following ones.
    fn overlapping(names: &[&'static str], limit: usize, offset: usize) -> Page<&'static str> {
        let mut items = Vec::new();
        let mut at = offset;
        while items.len() < limit && at < names.len() {
            let end = (at + limit).min(names.len());
            items.extend(names[at..end].iter().copied().filter(|name| !name.starts_with('.')));
            at = end;
        }
        let all = items.len() == names.len();
        Page { items, total: (!all).then_some(names.len() as u64), held: Held::default() }
    }

    fn even(limit: u64) -> Cut {
        Cut { first: limit, others: limit, at_once: 4 }
    }

    async fn listed(names: &'static [&'static str], cut: Cut) -> (Vec<&'static str>, Vec<u64>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        let fetch = move |offset: u64, limit: u64, _: When| {
            log.lock().expect("a lock").push(offset);
            let page =
                overlapping(names, usize::try_from(limit).expect("small"), usize::try_from(offset).expect("small"));
            async move { Ok::<_, ()>(Some(page)) }
        };
        let all =
            items(cut, fetch, |name: &&str| identity_of(name), Arc::default()).try_collect().await.expect("no errors");
        let offsets = asked.lock().expect("a lock").clone();
        (all, offsets)
    }

    #[tokio::test]
    async fn overlapping_pages_return_each_child_exactly_once() {
        static NAMES: [&str; 14] = [".a", ".b", ".c", "d", "e", ".f", ".g", "h", "i", "j", "k", ".l", "m", "n"];
        for first in 1..16 {
            for others in 1..16 {
                let (all, _) = listed(&NAMES, Cut { first, others, at_once: 4 }).await;
                assert_eq!(all, ["d", "e", "h", "i", "j", "k", "m", "n"], "limits {first} and {others}");
            }
        }
    }

    #[tokio::test]
    async fn an_exact_multiple_of_the_limit_is_listed_completely() {
        static NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
        let (all, offsets) = listed(&NAMES, even(3)).await;
        assert_eq!(all, NAMES);
        assert_eq!(offsets, [0, 3]);
        let (all, offsets) = listed(&NAMES, even(6)).await;
        assert_eq!((all.len(), offsets), (6, vec![0]));
    }

    #[tokio::test]
    async fn a_page_without_anything_visible_is_not_the_end() {
        static NAMES: [&str; 7] = ["a", ".1", ".2", ".3", ".4", "b", "c"];
        for limit in 1..8 {
            assert_eq!(listed(&NAMES, even(limit)).await.0, ["a", "b", "c"], "limit {limit}");
        }
    }

    #[tokio::test]
    async fn short_pages_that_are_not_filled_up_are_not_the_end_either() {
        let fetch = |offset: u64, limit: u64, _: When| async move {
            let items: Vec<u64> = (offset..(offset + limit).min(20)).filter(|n| n % 10 > 6).collect();
            Ok::<_, ()>(Some(Page { items, total: Some(20), held: Held::default() }))
        };
        let all: Vec<u64> =
            items(even(5), fetch, |n| u128::from(*n), Arc::default()).try_collect().await.expect("no errors");
        assert_eq!(all, [7, 8, 9, 17, 18, 19]);
    }

    #[tokio::test]
    async fn the_failure_of_a_page_is_given_in_its_place() {
        let fetch = |offset: u64, _: u64, _: When| async move {
            let page = Page { items: vec![offset], total: Some(6), held: Held::default() };
            if offset == 2 { Err("away") } else { Ok(Some(page)) }
        };
        let all: Vec<_> = items(even(2), fetch, |n| u128::from(*n), Arc::default()).take(2).collect().await;
        assert_eq!(all, [Ok(0), Err("away")]);
    }

    #[tokio::test]
    async fn a_page_without_memory_is_requested_in_smaller_parts_in_its_turn() {
        static NAMES: [&str; 14] = [".a", ".b", ".c", "d", "e", ".f", ".g", "h", "i", "j", "k", ".l", "m", "n"];
        for (cut, most) in [(4, 1), (4, 3), (6, 2), (14, 5), (20, 1), (3, 3)] {
            let asked = Arc::new(Mutex::new(Vec::new()));
            let log = asked.clone();
            let fetch = move |offset: u64, limit: u64, when: When| {
                let fits = when == When::Now && limit <= most;
                if fits {
                    log.lock().expect("a lock").push(offset);
                }
                let small = |number| usize::try_from(number).expect("small");
                let page = fits.then(|| overlapping(&NAMES, small(limit), small(offset)));
                async move { Ok::<_, ()>(page) }
            };
            let all = items(even(cut), fetch, |name: &&str| identity_of(name), Arc::default());
            let all: Vec<&str> = all.try_collect().await.expect("no errors");
            assert_eq!(all, ["d", "e", "h", "i", "j", "k", "m", "n"], "pages of {cut}, of which {most} fit");
            let asked = asked.lock().expect("a lock").clone();
            assert!(asked.is_sorted() && asked.last().is_some_and(|last| *last < 14), "{asked:?}");
        }
    }

    #[test]
    fn only_items_that_may_be_repeated_are_remembered() {
        let mut seen = Seen::default();
        for page in 0..100_u128 {
            let items: Vec<u128> = (page * 10..page * 10 + 10).collect();
            assert_eq!(seen.new_ones(items, |n| *n).len(), 10);
            assert_eq!(seen.identities.len(), 10);
        }
    }
}
