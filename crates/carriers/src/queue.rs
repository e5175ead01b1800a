//! What waits for whoever is free first: a queue with several takers, who come and go.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::Notify;

/// Items on their way to one of several takers.
///
/// Nothing is lost between a look at the queue and the wait for more: a taker that finds it empty
/// waits on [`Queue::more`], an item that comes in between leaves a permit there, a taker that
/// leaves items behind passes the permit on, and one that ends does too.
#[derive(Debug)]
pub struct Queue<T> {
    inner: Mutex<Inner<T>>,
    more: Notify,
}

#[derive(Debug)]
struct Inner<T> {
    items: VecDeque<T>,
    takers: usize,
}

impl<T> Queue<T> {
    /// An empty queue that nobody takes from.
    pub fn new() -> Queue<T> {
        Queue { inner: Mutex::new(Inner { items: VecDeque::new(), takers: 0 }), more: Notify::new() }
    }

    /// Adds an item, whether anybody takes it or not.
    pub fn push(&self, item: T) {
        self.lock().items.push_back(item);
        self.more.notify_one();
    }

    /// Puts items back in front, the first of them first.
    pub fn put_back(&self, items: impl DoubleEndedIterator<Item = T>) {
        let mut inner = self.lock();
        items.rev().for_each(|item| inner.items.push_front(item));
        drop(inner);
        self.more.notify_one();
    }

    /// Adds an item if somebody takes from here.
    ///
    /// # Errors
    /// The item, when nobody does.
    pub fn offer(&self, item: T) -> Result<(), T> {
        let mut inner = self.lock();
        if inner.takers == 0 {
            return Err(item);
        }
        inner.items.push_back(item);
        drop(inner);
        self.more.notify_one();
        Ok(())
    }

    /// Moves up to `most` items to the end of `into`, but no more than one taker's share, so that
    /// the others have some too.
    pub fn take(&self, most: usize, into: &mut Vec<T>) {
        if most == 0 {
            return;
        }
        let mut inner = self.lock();
        let share = inner.items.len().div_ceil(inner.takers.max(1));
        let count = share.min(most);
        into.extend(inner.items.drain(..count));
        let left = !inner.items.is_empty();
        drop(inner);
        if left {
            self.more.notify_one();
        }
    }

    /// Waits until there may be more. Whoever waits must be able to take at least one.
    pub async fn more(&self) {
        self.more.notified().await;
    }

    /// A taker comes; `tell` hears how many there are now, before anything else can happen here.
    pub fn join(&self, tell: impl FnOnce(usize)) {
        let mut inner = self.lock();
        inner.takers += 1;
        tell(inner.takers);
    }

    /// A taker goes; `tell` as in [`Queue::join`]. What waits is given back when it was the last.
    pub fn leave(&self, tell: impl FnOnce(usize)) -> VecDeque<T> {
        let mut inner = self.lock();
        inner.takers = inner.takers.saturating_sub(1);
        tell(inner.takers);
        match inner.takers {
            0 => std::mem::take(&mut inner.items),
            _ => {
                self.more.notify_one();
                VecDeque::new()
            }
        }
    }

    /// Takes out all that waits.
    pub fn drain(&self) -> VecDeque<T> {
        std::mem::take(&mut self.lock().items)
    }

    /// How many take from here.
    pub fn takers(&self) -> usize {
        self.lock().takers
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        self.lock().items.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().expect("nothing panics while it holds the queue")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[test]
    fn takers_share_what_waits() {
        let queue = Queue::new();
        assert_eq!(queue.offer(0), Err(0), "nobody takes");
        queue.join(|takers| assert_eq!(takers, 1));
        queue.join(|takers| assert_eq!(takers, 2));
        (0..10).for_each(|n| queue.push(n));
        let mut mine = Vec::new();
        queue.take(64, &mut mine);
        assert_eq!(mine, [0, 1, 2, 3, 4]);
        queue.put_back(mine.drain(3..));
        queue.take(1, &mut mine);
        assert_eq!(mine, [0, 1, 2, 3]);
        assert!(queue.leave(|_| ()).is_empty());
        assert_eq!(queue.leave(|left| assert_eq!(left, 0)), [4, 5, 6, 7, 8, 9]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_forgotten_between_many_takers() {
        let queue = Arc::new(Queue::new());
        let (got, mut all) = tokio::sync::mpsc::unbounded_channel();
        for room in 1..=4 {
            let (queue, got) = (queue.clone(), got.clone());
            tokio::spawn(async move {
                queue.join(|_| ());
                let mut mine = Vec::new();
                loop {
                    queue.take(room, &mut mine);
                    mine.drain(..).for_each(|n: u32| got.send(n).unwrap());
                    queue.more().await;
                }
            });
        }
        let pusher = queue.clone();
        tokio::spawn(async move {
            for n in 0..20_000 {
                pusher.push(n);
                if n % 7 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut seen = vec![false; 20_000];
        for _ in 0..20_000 {
            let next = timeout(Duration::from_secs(20), all.recv()).await;
            let n = next.expect("no wake-up is lost").unwrap();
            assert!(!std::mem::replace(&mut seen[n as usize], true), "{n} twice");
        }
    }
}
