//! How a line tells whoever connected it what happens.

use std::sync::Arc;

use domain::id::MessageId;
use tokio::sync::mpsc::UnboundedSender;

use crate::{Answer, Event, Outcome, Submission};

/// A line's way to tell, under its carrier's name.
#[derive(Clone, Debug)]
pub struct Teller {
    /// The carrier's name.
    pub name: Arc<str>,
    /// Who listens.
    pub events: UnboundedSender<Event>,
}

impl Teller {
    pub fn tell(&self, event: Event) {
        // Nobody listens any more only when the whole program ends.
        let _ = self.events.send(event);
    }

    pub fn answer(&self, message: MessageId, part: u8, outcome: Outcome) {
        self.tell(Event::Answer(Answer { carrier: self.name.clone(), message, part, outcome }));
    }

    pub fn not_sent(&self, submissions: impl IntoIterator<Item = Submission>) {
        for submission in submissions {
            self.answer(submission.message, submission.part, Outcome::NotSent);
        }
    }

    pub fn slots(&self, slots: usize) {
        self.tell(Event::Room { carrier: self.name.clone(), slots });
    }
}
