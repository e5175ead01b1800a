//! Questions that can be asked together, so that a server far away answers them in one journey.

use super::{Bulk, Result, Row, Value};

/// A [`Bulk::select`] with its input rows, and how its answer is read.
pub struct Question<'a, T> {
    pub(super) bulk: &'static Bulk,
    pub(super) cells: Vec<Value<'a>>,
    pub(super) read: fn(Vec<Row>) -> Result<T>,
}

impl<'a, T> Question<'a, T> {
    /// `cells` are the input rows one after the other; with none of them nothing is asked, and `read`
    /// gets no rows.
    pub fn new(
        bulk: &'static Bulk,
        cells: Vec<Value<'a>>,
        read: fn(Vec<Row>) -> Result<T>,
    ) -> Question<'a, T> {
        debug_assert_eq!(cells.len() % bulk.width(), 0);
        Question { bulk, cells, read }
    }
}

/// One question or several, which are answered in their order.
pub trait Questions {
    /// What is answered.
    type Answers;
    #[doc(hidden)]
    fn asked(&self) -> Vec<(&'static Bulk, &[Value<'_>])>;
    #[doc(hidden)]
    fn read(self, rows: Vec<Vec<Row>>) -> Result<Self::Answers>;
}

impl<T> Questions for Question<'_, T> {
    type Answers = T;

    fn asked(&self) -> Vec<(&'static Bulk, &[Value<'_>])> {
        vec![(self.bulk, &self.cells)]
    }

    fn read(self, rows: Vec<Vec<Row>>) -> Result<T> {
        (self.read)(rows.into_iter().next().unwrap_or_default())
    }
}

macro_rules! together {
    ($($name:ident $place:tt),+) => {
        impl<$($name),+> Questions for ($(Question<'_, $name>,)+) {
            type Answers = ($($name,)+);

            fn asked(&self) -> Vec<(&'static Bulk, &[Value<'_>])> {
                vec![$((self.$place.bulk, self.$place.cells.as_slice())),+]
            }

            fn read(self, rows: Vec<Vec<Row>>) -> Result<Self::Answers> {
                let mut rows = rows.into_iter();
                Ok(($((self.$place.read)(rows.next().unwrap_or_default())?,)+))
            }
        }
    };
}

together!(A 0, B 1);
together!(A 0, B 1, C 2, D 3);
together!(A 0, B 1, C 2, D 3, E 4);
together!(A 0, B 1, C 2, D 3, E 4, F 5);
