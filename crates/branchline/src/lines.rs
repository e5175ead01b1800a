//! From the carriers of the settings to the lines the gateway connects.

use std::sync::Arc;

use carriers::{Answer, Connection, Event, Outcome, Submission};
use gateway::dispatch::Line;
use tokio::sync::mpsc::UnboundedSender;

use crate::settings::{Carrier, Kind};

/// The lines, one a carrier.
pub fn of(carriers: &[Carrier]) -> Vec<Line> {
    carriers.iter().cloned().map(line).collect()
}

fn line(carrier: Carrier) -> Line {
    let name: Arc<str> = carrier.name.into();
    let connect = {
        let name = name.clone();
        move |events: UnboundedSender<Event>| match carrier.kind {
            Kind::Smpp(settings) => carriers::smpp::connect(settings, events),
            Kind::Simulator(settings) => carriers::simulator::connect(settings, events),
            Kind::Http(settings) => match carriers::http::connect(settings, events.clone()) {
                Ok(connection) => connection,
                Err(error) => {
                    tracing::error!(carrier = %name, %error, "the carrier cannot be connected and stays down");
                    Arc::new(Down { name, events })
                }
            },
        }
    };
    Line { name, message_ids: carrier.message_ids, connect: Box::new(connect) }
}

/// A line that never comes up, so that the others can work.
struct Down {
    name: Arc<str>,
    events: UnboundedSender<Event>,
}

impl Connection for Down {
    fn splits(&self) -> bool {
        false
    }

    fn submit(&self, submission: Submission) {
        let Submission { message, part, .. } = submission;
        let answer = Answer { carrier: self.name.clone(), message, part, outcome: Outcome::NotSent };
        // Nobody listens any more only when the whole program ends.
        let _ = self.events.send(Event::Answer(answer));
    }

    fn close(&self) {}
}
