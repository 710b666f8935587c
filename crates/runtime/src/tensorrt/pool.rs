//! A pool of what one call at a time may use, made on demand up to a limit.
//!
//! It knows nothing of contexts and streams: the caller ranks what is idle, and makes what is missing.

use crate::Result;
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How well an idle item suits a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// The call would wait for another's work on it: taken only when no more may be made.
    Busy,
    /// Usable at once.
    Free,
    /// Usable at once, and prepared for this call.
    Ready,
}

/// Items that are lent one call at a time.
#[derive(Debug)]
pub(super) struct Pool<T> {
    state: Mutex<State<T>>,
    returned: Condvar,
}

#[derive(Debug)]
struct State<T> {
    idle: Vec<T>,
    /// Idle and lent together.
    made: usize,
    limit: usize,
}

/// An item on loan; it goes back when dropped.
#[derive(Debug)]
pub(super) struct Lease<'p, T> {
    pool: &'p Pool<T>,
    item: Option<T>,
}

impl<T> Pool<T> {
    /// An empty pool that grows to `limit` items.
    pub(super) fn new(limit: usize) -> Self {
        let state = State { idle: Vec::new(), made: 0, limit: limit.max(1) };
        Self { state: Mutex::new(state), returned: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // A thread that died while it held the lock left a list that is whole: it is only pushed to and taken from.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends the idle item that suits best, or a new one; waits for one where no more may be made.
    ///
    /// Where making one fails and others exist, the pool stays as large as it is.
    ///
    /// # Errors
    /// Those of `make`, where there is nothing to fall back on.
    pub(super) fn lend(&self, fit: impl Fn(&T) -> Fit, make: impl Fn() -> Result<T>) -> Result<Lease<'_, T>> {
        let mut state = self.lock();
        loop {
            let best = state.idle.iter().enumerate().map(|(index, item)| (fit(item), index)).max();
            let may_grow = state.made < state.limit;
            match best {
                Some((Fit::Ready | Fit::Free, index)) => return Ok(self.lease(state.idle.swap_remove(index))),
                Some((Fit::Busy, index)) if !may_grow => return Ok(self.lease(state.idle.swap_remove(index))),
                None if !may_grow => {
                    state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                _ => {}
            }
            state.made += 1;
            drop(state);
            let made = make();
            match made {
                Ok(item) => return Ok(self.lease(item)),
                Err(error) => {
                    state = self.lock();
                    state.made -= 1;
                    if state.made == 0 {
                        // Nobody is left to return one: whoever waits must try for itself.
                        self.returned.notify_all();
                        return Err(error);
                    }
                    let contexts = state.made;
                    tracing::warn!(
                        target: "torch2trt::runtime",
                        %error,
                        contexts,
                        "no further execution context could be made"
                    );
                    state.limit = state.made;
                }
            }
        }
    }

    /// Takes an idle item out for good; another may be made in its place.
    pub(super) fn take(&self, suits: impl Fn(&T) -> bool) -> Option<T> {
        let mut state = self.lock();
        let index = state.idle.iter().position(suits)?;
        state.made -= 1;
        // Whoever waits may now make one.
        self.returned.notify_one();
        Some(state.idle.swap_remove(index))
    }

    fn lease(&self, item: T) -> Lease<'_, T> {
        Lease { pool: self, item: Some(item) }
    }
}

impl<T> Drop for Lease<'_, T> {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            self.pool.lock().idle.push(item);
            self.pool.returned.notify_one();
        }
    }
}

impl<T> Lease<'_, T> {
    /// Drops the item instead of returning it.
    pub(super) fn discard(mut self) {
        self.pool.lock().made -= 1;
        self.item = None;
        self.pool.returned.notify_one();
    }
}

impl<T> Deref for Lease<'_, T> {
    type Target = T;

    #[allow(clippy::expect_used, reason = "`item` is there until the lease is dropped or discarded")]
    fn deref(&self) -> &T {
        self.item.as_ref().expect("a lease holds its item")
    }
}

impl<T> DerefMut for Lease<'_, T> {
    #[allow(clippy::expect_used, reason = "as above")]
    fn deref_mut(&mut self) -> &mut T {
        self.item.as_mut().expect("a lease holds its item")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn counted(counter: &AtomicUsize) -> impl Fn() -> Result<usize> {
        move || Ok(counter.fetch_add(1, Ordering::SeqCst))
    }

    #[test]
    fn the_best_fit_is_lent_and_nothing_is_made_for_it() {
        let (pool, made) = (Pool::new(3), AtomicUsize::new(0));
        let held: Vec<_> = (0..3).map(|_| pool.lend(|_| Fit::Busy, counted(&made)).unwrap()).collect();
        drop(held);
        let fit = |item: &usize| [Fit::Busy, Fit::Free, Fit::Ready][*item];
        assert_eq!(*pool.lend(fit, counted(&made)).unwrap(), 2);
        let _ready = pool.lend(fit, counted(&made)).unwrap();
        assert_eq!(*pool.lend(fit, counted(&made)).unwrap(), 1);
        assert_eq!(made.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn a_busy_item_is_lent_only_when_the_pool_is_full() {
        let (pool, made) = (Pool::new(2), AtomicUsize::new(0));
        drop(pool.lend(|_| Fit::Free, counted(&made)).unwrap());
        let second = pool.lend(|_| Fit::Busy, counted(&made)).unwrap();
        assert_eq!(*second, 1);
        assert_eq!(*pool.lend(|_| Fit::Busy, counted(&made)).unwrap(), 0);
    }

    #[test]
    fn a_pool_that_cannot_grow_stays_as_it_is() {
        let pool = Pool::new(4);
        let refuse = || Err(Error::BadDims { dims: vec![] });
        assert!(pool.lend(|_: &usize| Fit::Free, refuse).is_err());
        drop(pool.lend(|_| Fit::Free, || Ok(7)).unwrap());
        assert_eq!(*pool.lend(|_| Fit::Busy, refuse).unwrap(), 7);
    }

    #[test]
    fn whoever_waits_for_one_that_cannot_be_made_tries_for_itself() {
        let pool: &Pool<usize> = Box::leak(Box::new(Pool::new(1)));
        let (making, waits) = std::sync::mpsc::channel();
        let (done, result) = std::sync::mpsc::channel();
        let first = std::thread::spawn(move || {
            let fails = || {
                making.send(()).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(200));
                Err(Error::BadDims { dims: vec![] })
            };
            pool.lend(|_| Fit::Free, fails).is_err()
        });
        waits.recv().unwrap();
        // A thread of its own, which is left behind where it never wakes.
        std::thread::spawn(move || done.send(pool.lend(|_| Fit::Free, || Ok(5)).map(|item| *item)));
        assert!(first.join().unwrap());
        assert_eq!(result.recv_timeout(std::time::Duration::from_secs(20)).unwrap().unwrap(), 5);
    }

    #[test]
    fn what_is_taken_out_or_discarded_may_be_made_again() {
        let (pool, made) = (Pool::new(1), AtomicUsize::new(0));
        drop(pool.lend(|_| Fit::Free, counted(&made)).unwrap());
        assert_eq!(pool.take(|item| *item == 5), None);
        assert_eq!(pool.take(|item| *item == 0), Some(0));
        pool.lend(|_| Fit::Free, counted(&made)).unwrap().discard();
        assert_eq!(*pool.lend(|_| Fit::Free, counted(&made)).unwrap(), 2);
    }

    #[test]
    fn callers_wait_when_all_are_lent_and_none_is_lent_twice() {
        let (pool, made) = (Pool::new(2), AtomicUsize::new(0));
        let lent = [AtomicUsize::new(0), AtomicUsize::new(0)];
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let item = pool.lend(|_| Fit::Free, counted(&made)).unwrap();
                        assert_eq!(lent[*item].fetch_add(1, Ordering::SeqCst), 0);
                        lent[*item].fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(made.load(Ordering::SeqCst) <= 2);
    }
}
