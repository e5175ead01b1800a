//! Which PDU is legal in which state of a session, seen from either end. What a legal PDU does is
//! the matter of whoever holds the session.
//!
//! Source: SMPP 3.4 section 2.2 and table 2-1; where practice is wider than the table (a
//! `replace_sm` by a transceiver, an `enquire_link` before the bind) practice is followed.

use rusmpp::CommandId;

use crate::pdu::BindKind;
use crate::status::Status;

/// One end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The client: it binds, and submits messages.
    Esme,
    /// The server: it takes them, and delivers receipts.
    Smsc,
}

/// Where a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Connected, not bound.
    Open,
    /// Bound.
    Bound(BindKind),
    /// We have asked to end it; what is under way may still be answered.
    Unbinding,
    /// At its end: nothing is legal.
    Closed,
}

/// What to do with a PDU that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Legal: act on it.
    Legal,
    /// A request out of place: answer it with its own response and this status.
    Answer(Status),
    /// Nothing that has a response of its own: answer with `generic_nack` and this status.
    Nack(Status),
    /// A response out of place: an answer to an answer would only go on for ever.
    Ignore,
}

/// The state of one session, at one of its ends.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    end: End,
    state: State,
}

impl Session {
    /// A session just connected, seen from our `end`.
    pub fn new(end: End) -> Session {
        Session { end, state: State::Open }
    }

    /// Where it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// The bind was accepted, by us or by the peer.
    pub fn bound(&mut self, kind: BindKind) {
        self.state = State::Bound(kind);
    }

    /// We have sent `unbind`.
    pub fn unbinding(&mut self) {
        self.state = State::Unbinding;
    }

    /// It is over: `unbind` was answered by either end, or the connection broke.
    pub fn close(&mut self) {
        self.state = State::Closed;
    }

    /// Whether we may send this PDU now.
    pub fn may_send(&self, id: CommandId) -> bool {
        legal(self.end, self.state, id)
    }

    /// What to do with this PDU of the peer.
    pub fn judge(&self, id: CommandId) -> Verdict {
        let peer = match self.end {
            End::Esme => End::Smsc,
            End::Smsc => End::Esme,
        };
        let bind =
            matches!(id, CommandId::BindTransmitter | CommandId::BindReceiver | CommandId::BindTransceiver);
        match id {
            _ if legal(peer, self.state, id) => Verdict::Legal,
            _ if u32::from(id) & 0x8000_0000 != 0 => Verdict::Ignore,
            CommandId::Other(_) => Verdict::Nack(Status::INVALID_COMMAND_ID),
            // These two have no response.
            CommandId::Outbind | CommandId::AlertNotification => Verdict::Nack(Status::INVALID_BIND_STATUS),
            _ if bind && matches!(self.state, State::Bound(_)) => Verdict::Answer(Status::ALREADY_BOUND),
            _ => Verdict::Answer(Status::INVALID_BIND_STATUS),
        }
    }
}

/// Whether `from` may send this PDU in this state.
fn legal(from: End, state: State, id: CommandId) -> bool {
    use CommandId::*;
    let bound = match state {
        State::Bound(kind) => Some(kind),
        _ => None,
    };
    let transmits = bound.is_some_and(BindKind::transmits);
    let receives = bound.is_some_and(BindKind::receives);
    // What was asked before an `unbind` may still be answered after it.
    let answers = |direction: bool| direction || state == State::Unbinding;
    match (id, from) {
        (Other(_), _) => false,
        _ if state == State::Closed => false,
        (GenericNack | EnquireLink | EnquireLinkResp, _) => true,
        (Unbind | UnbindResp, _) => state != State::Open,
        (BindTransmitter | BindReceiver | BindTransceiver, End::Esme) => state == State::Open,
        (BindTransmitterResp | BindReceiverResp | BindTransceiverResp, End::Smsc) => state == State::Open,
        (Outbind, End::Smsc) => state == State::Open,
        (SubmitSm | SubmitMulti | QuerySm | CancelSm | ReplaceSm, End::Esme) => transmits,
        (SubmitSmResp | SubmitMultiResp | QuerySmResp | CancelSmResp | ReplaceSmResp, End::Smsc) => {
            answers(transmits)
        }
        (DataSm, End::Esme) => transmits,
        (DataSmResp, End::Smsc) => answers(transmits),
        (DeliverSm | DataSm | AlertNotification, End::Smsc) => receives,
        (DeliverSmResp | DataSmResp, End::Esme) => answers(receives),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use BindKind::*;
    use CommandId::*;

    #[test]
    fn a_pdu_is_legal_in_its_states_and_from_its_end_only() {
        // Columns: open, bound as transmitter, as receiver, as transceiver, unbinding, closed.
        #[rustfmt::skip]
        let rows = [
            (BindTransceiver,     End::Esme, "y....."),
            (BindTransceiver,     End::Smsc, "......"),
            (BindTransceiverResp, End::Smsc, "y....."),
            (Outbind,             End::Smsc, "y....."),
            (SubmitSm,            End::Esme, ".y.y.."),
            (SubmitSm,            End::Smsc, "......"),
            (SubmitSmResp,        End::Smsc, ".y.yy."),
            (QuerySm,             End::Esme, ".y.y.."),
            (DataSm,              End::Esme, ".y.y.."),
            (DataSm,              End::Smsc, "..yy.."),
            (DeliverSm,           End::Smsc, "..yy.."),
            (DeliverSm,           End::Esme, "......"),
            (DeliverSmResp,       End::Esme, "..yyy."),
            (AlertNotification,   End::Smsc, "..yy.."),
            (EnquireLink,         End::Esme, "yyyyy."),
            (EnquireLinkResp,     End::Smsc, "yyyyy."),
            (Unbind,              End::Esme, ".yyyy."),
            (UnbindResp,          End::Smsc, ".yyyy."),
            (GenericNack,         End::Smsc, "yyyyy."),
            (Other(0x1234),       End::Smsc, "......"),
        ];
        let states = [
            State::Open,
            State::Bound(Transmitter),
            State::Bound(Receiver),
            State::Bound(Transceiver),
            State::Unbinding,
            State::Closed,
        ];
        for (id, from, columns) in rows {
            for (state, column) in states.into_iter().zip(columns.chars()) {
                assert_eq!(legal(from, state, id), column == 'y', "{id:?} from {from:?} in {state:?}");
            }
        }
    }

    #[test]
    fn what_is_out_of_place_is_answered_as_the_standard_says() {
        let mut server = Session::new(End::Smsc);
        assert_eq!(server.judge(SubmitSm), Verdict::Answer(Status::INVALID_BIND_STATUS));
        assert_eq!(server.judge(BindReceiver), Verdict::Legal);
        server.bound(Receiver);
        assert_eq!(server.judge(BindReceiver), Verdict::Answer(Status::ALREADY_BOUND));
        assert_eq!(server.judge(SubmitSm), Verdict::Answer(Status::INVALID_BIND_STATUS));
        assert_eq!(server.judge(Other(0x7777)), Verdict::Nack(Status::INVALID_COMMAND_ID));
        assert_eq!(server.judge(SubmitSmResp), Verdict::Ignore);
        assert_eq!(server.judge(Other(0x8000_7777)), Verdict::Ignore);
        let mut client = Session::new(End::Esme);
        assert!(client.may_send(BindTransceiver));
        client.bound(Transceiver);
        assert!(client.may_send(SubmitSm));
        client.unbinding();
        assert!(!client.may_send(SubmitSm));
        assert_eq!(client.judge(SubmitSmResp), Verdict::Legal);
    }

    proptest! {
        #[test]
        fn a_response_is_never_answered(number in any::<u32>(), bound in any::<bool>(), server in any::<bool>()) {
            let mut session = Session::new(if server { End::Smsc } else { End::Esme });
            if bound {
                session.bound(Transceiver);
            }
            let verdict = session.judge(CommandId::from(number | 0x8000_0000));
            prop_assert!(matches!(verdict, Verdict::Legal | Verdict::Ignore));
        }
    }
}
