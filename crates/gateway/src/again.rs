//! Trying again what met others in the way: two transactions that waited for each other, or a file
//! that somebody else held too long.

use std::time::Duration;

/// How often at the most.
const TRIES: u32 = 6;

/// An error of an operation on the books.
pub(crate) trait Busy {
    /// Whether nothing was done because others were in the way.
    fn busy(&self) -> bool;
}

impl Busy for storage::Error {
    fn busy(&self) -> bool {
        matches!(self, storage::Error::Busy(_))
    }
}

/// Says of an error type with a variant `Storage(storage::Error)` when it is [`Busy`].
macro_rules! busy {
    ($($error:ty),+) => {$(
        impl $crate::again::Busy for $error {
            fn busy(&self) -> bool {
                matches!(self, Self::Storage(error) if $crate::again::Busy::busy(error))
            }
        }
    )+};
}
pub(crate) use busy;

/// Does it, and again while others are in the way.
pub(crate) async fn again<T, E: Busy, F: Future<Output = Result<T, E>>>(
    mut work: impl FnMut() -> F,
) -> Result<T, E> {
    let mut tried = 1;
    loop {
        match work().await {
            Err(error) if error.busy() && tried < TRIES => {
                tokio::time::sleep(Duration::from_millis(4 << tried)).await;
                tried += 1;
            }
            done => return done,
        }
    }
}
