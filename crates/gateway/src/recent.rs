//! What a carrier said in the last minutes, counted a minute at a time. Counting is one addition; which
//! minute it is, the dispatcher's tick says, so that no answer has to ask the clock.

use domain::moment::Moment;

/// How many minutes are remembered.
pub const MINUTES: usize = 15;

/// How often a carrier said what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// It took a submission.
    pub taken: u64,
    /// It refused one for good.
    pub refused: u64,
    /// It wanted one later, or the line broke before it left.
    pub later: u64,
    /// It did not answer in time, or the line broke meanwhile.
    pub lost: u64,
    /// It reported one as delivered.
    pub delivered: u64,
    /// It reported that one was not, for good.
    pub failed: u64,
}

impl Said {
    /// The sum.
    pub fn add(&mut self, other: &Said) {
        self.taken += other.taken;
        self.refused += other.refused;
        self.later += other.later;
        self.lost += other.lost;
        self.delivered += other.delivered;
        self.failed += other.failed;
    }

    /// How many submissions were answered in whatever way, lost ones included.
    pub fn answered(&self) -> u64 {
        self.taken + self.refused + self.later + self.lost
    }

    /// Which part of the answers was no yes, from 0 to 1; nothing where there was no answer.
    pub fn error_rate(&self) -> Option<f64> {
        let answered = self.answered();
        (answered > 0).then(|| (answered - self.taken) as f64 / answered as f64)
    }

    /// Which part of the final reports was of a delivery, from 0 to 1; nothing where there was none.
    pub fn delivery_rate(&self) -> Option<f64> {
        let reported = self.delivered + self.failed;
        (reported > 0).then(|| self.delivered as f64 / reported as f64)
    }
}

/// The minute a moment is in.
pub(crate) fn minute_of(now: Moment) -> i64 {
    now.seconds().div_euclid(60)
}

/// The counts of the last [`MINUTES`].
#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// The newest minute that is counted.
    minute: i64,
    ring: [Said; MINUTES],
}

impl Recent {
    fn place(minute: i64) -> usize {
        usize::try_from(minute.rem_euclid(MINUTES as i64)).unwrap_or(0)
    }

    /// The counts of a minute; those that are too old by then are let go of.
    pub fn at(&mut self, minute: i64) -> &mut Said {
        if minute > self.minute {
            let passed = (minute - self.minute).min(MINUTES as i64);
            for gone in 0..passed {
                self.ring[Recent::place(minute - gone)] = Said::default();
            }
            self.minute = minute;
        }
        &mut self.ring[Recent::place(self.minute)]
    }

    /// What was said in so many minutes up to this one, each of them with the newest first.
    pub fn minutes(&self, minute: i64) -> [Said; MINUTES] {
        std::array::from_fn(|ago| {
            let wanted = minute - ago as i64;
            let known = wanted <= self.minute && wanted > self.minute - MINUTES as i64;
            if known { self.ring[Recent::place(wanted)] } else { Said::default() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_follow_each_other_and_the_oldest_go() {
        let mut recent = Recent::default();
        for minute in 100..120 {
            recent.at(minute).taken += u64::try_from(minute).unwrap();
        }
        recent.at(119).refused += 1;
        let said = recent.minutes(119);
        assert_eq!((said[0].taken, said[0].refused, said[14].taken), (119, 1, 105));
        // Nothing was said for a while.
        let said = recent.minutes(121);
        assert_eq!((said[0].taken, said[1].taken, said[2].taken, said[14].taken), (0, 0, 119, 107));
        recent.at(130).lost += 1;
        let said = recent.minutes(130);
        assert_eq!((said[0].lost, said[1].taken, said[11].taken, said[14].taken), (1, 0, 119, 116));
        recent.at(1_000).later += 1;
        assert_eq!(recent.minutes(1_000).iter().map(Said::answered).sum::<u64>(), 1);
    }

    #[test]
    fn rates_are_of_what_was_answered() {
        let said = Said { taken: 90, refused: 5, later: 4, lost: 1, delivered: 3, failed: 1 };
        assert_eq!((said.error_rate(), said.delivery_rate()), (Some(0.1), Some(0.75)));
        assert_eq!((Said::default().error_rate(), Said::default().delivery_rate()), (None, None));
    }
}
