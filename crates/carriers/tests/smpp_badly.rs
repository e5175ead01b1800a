//! The line to an SMPP carrier against ends that are written out PDU by PDU: garbage, silence at
//! the worst moment, messages nobody asked for.

#![allow(clippy::unwrap_used, reason = "in a test, a failure is what it is for")]

mod bench;

use std::net::SocketAddr;
use std::time::Duration;

use ::smpp::pdu::{self, ESM_RECEIPT};
use ::smpp::{BindKind, CommandId, Frames, Header, ShortMessage, Status};
use bench::{Watched, message, quick, soon};
use carriers::{Outcome, smpp};
use domain::delivery_report::ReportState;
use domain::id::MessageId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The carrier's end of a connection, by hand.
struct End {
    stream: TcpStream,
    input: Vec<u8>,
}

impl End {
    async fn bound(listener: &TcpListener) -> End {
        let (stream, _) = soon(listener.accept()).await.unwrap();
        let mut end = End { stream, input: Vec::new() };
        let bind = end.hear().await;
        assert_eq!(bind.id, CommandId::BindTransceiver);
        let sequence_number = bind.sequence_number;
        end.say(|out| pdu::put_bind_resp(out, BindKind::Transceiver, Status::OK, sequence_number, b"x"))
            .await;
        end
    }

    async fn say(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        put(&mut out);
        self.stream.write_all(&out).await.unwrap();
    }

    /// The header of the next PDU.
    async fn hear(&mut self) -> Header {
        soon(self.hear_or_end()).await.expect("a PDU comes")
    }

    /// The same, or nothing at the end of the connection.
    async fn hear_or_end(&mut self) -> Option<Header> {
        loop {
            let mut frames = Frames::new(&self.input);
            if let Some(frame) = frames.next() {
                let (header, consumed) = (frame.unwrap().header, frames.consumed());
                self.input.drain(..consumed);
                return Some(header);
            }
            if self.stream.read_buf(&mut self.input).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test]
async fn garbage_is_answered_and_too_much_of_it_ends_the_session() {
    let (listener, address) = listener().await;
    let mut watched = Watched::smpp(quick(address));
    let mut end = End::bound(&listener).await;
    watched.until(|w| w.room > 0).await;
    end.say(|out| pdu::put_header(out, CommandId::Other(0x4242), Status::OK, 5)).await;
    let nack = end.hear().await;
    let expected =
        Header { id: CommandId::GenericNack, status: Status::INVALID_COMMAND_ID, sequence_number: 5 };
    assert_eq!(nack, expected);
    end.say(|out| pdu::put_header(out, CommandId::DeliverSm, Status::OK, 6)).await;
    assert_eq!(end.hear().await.status, Status::INVALID_COMMAND_LENGTH, "a body is missing");
    end.say(|out| pdu::put_header(out, CommandId::SubmitSm, Status::OK, 7)).await;
    assert_eq!(end.hear().await.id, CommandId::SubmitSmResp, "refused by its own response");
    // The session still works.
    watched.submit(message(1));
    let submit = end.hear().await;
    end.say(|out| pdu::put_submit_resp(out, submit.sequence_number, b"abc")).await;
    watched.until(|w| w.waiting.is_empty()).await;
    assert_eq!(watched.remote_id(1), "abc");
    for n in 0..30 {
        let mut out = Vec::new();
        pdu::put_header(&mut out, CommandId::Other(0x4242), Status::OK, n);
        if end.stream.write_all(&out).await.is_err() {
            break;
        }
    }
    watched.until(|w| w.room == 0).await;
    End::bound(&listener).await;
    watched.until(|w| w.room > 0).await;
}

#[tokio::test]
async fn a_length_out_of_bounds_is_refused_and_ends_the_session() {
    for length in [0_u32, 15, 65_537, u32::MAX] {
        let (listener, address) = listener().await;
        let mut watched = Watched::smpp(quick(address));
        let mut end = End::bound(&listener).await;
        watched.until(|w| w.room > 0).await;
        end.stream.write_all(&length.to_be_bytes()).await.unwrap();
        let nack = end.hear().await;
        assert_eq!((nack.id, nack.status), (CommandId::GenericNack, Status::INVALID_COMMAND_LENGTH));
        assert_eq!(soon(end.hear_or_end()).await, None);
        watched.until(|w| w.room == 0).await;
    }
}

#[tokio::test]
async fn what_may_have_arrived_is_lost_and_only_the_rest_was_not_sent() {
    // A carrier that reads nothing, behind buffers as small as can be.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.listen(8).unwrap();
    socket.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(socket.into()).unwrap();
    let address = listener.local_addr().unwrap();
    let mut watched = Watched::smpp(smpp::Settings {
        window: 10_000,
        enquire_link_after: Duration::from_millis(300),
        ..quick(address)
    });
    let end = End::bound(&listener).await;
    watched.until(|w| w.room == 10_000).await;
    (1..=10_000).for_each(|n| watched.submit(long(n)));
    watched.until(|w| w.room == 0).await;
    watched.until(|w| w.waiting.is_empty()).await;
    drop(listener);
    // What the kernel took, and may have delivered, is what this end can still read.
    let mut arrived = Vec::new();
    let mut stream = end.stream;
    let _ = stream.read_to_end(&mut arrived).await;
    let mut frames = Frames::new(&arrived);
    let whole = frames.by_ref().filter(|f| f.is_ok_and(|f| f.header.id == CommandId::SubmitSm)).count();
    let lost = watched.count(|o| *o == Outcome::Lost);
    let not_sent = watched.count(|o| *o == Outcome::NotSent);
    assert_eq!(lost + not_sent, 10_000);
    assert!(whole > 0, "something did arrive");
    let partly = usize::from(frames.consumed() < arrived.len());
    assert!(whole + partly <= lost, "{whole} and {partly} partly arrived, {lost} are told as lost");
    for n in 1..=10_000 {
        let fate = &watched.answers[&(MessageId(n), 0)];
        let expected = if n as usize <= lost { Outcome::Lost } else { Outcome::NotSent };
        assert_eq!(*fate, expected, "in the order they were written: {n}");
    }
}

fn long(n: i64) -> carriers::Submission {
    let text = format!("{n:05}{}", "x".repeat(150));
    carriers::Submission {
        content: std::sync::Arc::new(domain::text::Content::text(&text, false).unwrap()),
        ..message(n)
    }
}

#[tokio::test]
async fn a_message_from_a_handset_is_left_with_the_carrier() {
    let (listener, address) = listener().await;
    let mut watched = Watched::smpp(quick(address));
    let mut end = End::bound(&listener).await;
    // It looks like a receipt and is none: whoever wrote it must not declare a message delivered.
    let forged = ShortMessage { short_message: b"id:1 stat:DELIVRD", ..Default::default() };
    end.say(|out| forged.write(CommandId::DeliverSm, 3, out)).await;
    let answer = end.hear().await;
    let expected =
        Header { id: CommandId::DeliverSmResp, status: Status::RECEIVER_TEMPORARY, sequence_number: 3 };
    assert_eq!(answer, expected);
    watched.catch_up();
    assert!(watched.reports.is_empty());
}

#[tokio::test]
async fn a_receipt_waits_for_its_store_and_one_that_names_nothing_does_not() {
    let (listener, address) = listener().await;
    let mut watched = Watched::smpp(quick(address));
    let mut end = End::bound(&listener).await;
    let receipt = |text: &'static [u8]| ShortMessage {
        esm_class: ESM_RECEIPT,
        short_message: text,
        source: ::smpp::Address { ton: 1, npi: 1, digits: b"4915100000001" },
        ..Default::default()
    };
    end.say(|out| {
        receipt(b"id:7 stat:UNDELIV err:0AB").write(CommandId::DeliverSm, 3, out);
        receipt(b"rubbish").write(CommandId::DeliverSm, 4, out);
        let mut tlvs = Vec::new();
        pdu::put_tlv(&mut tlvs, pdu::tag::RECEIPTED_MESSAGE_ID, b"8\0");
        pdu::put_tlv(&mut tlvs, pdu::tag::MESSAGE_STATE, &[2]);
        let only_parameters = ShortMessage { tlvs: &tlvs, ..Default::default() };
        only_parameters.write(CommandId::DeliverSm, 5, out);
    })
    .await;
    assert_eq!(end.hear().await.sequence_number, 4, "only the one without an id");
    watched.until(|w| w.reports.len() == 2).await;
    let by_parameters = watched.reports.remove(1);
    let by_text = watched.reports.remove(0);
    assert_eq!((by_text.remote_id.as_str(), by_text.state), ("7", ReportState::NotDelivered));
    assert_eq!(by_text.error.as_deref(), Some("0AB"));
    assert_eq!((by_parameters.remote_id.as_str(), by_parameters.state), ("8", ReportState::Delivered));
    by_parameters.ack.stored();
    assert_eq!(end.hear().await.sequence_number, 5, "stored first, acknowledged first");
    by_text.ack.stored();
    let last = end.hear().await;
    assert_eq!((last.sequence_number, last.status), (3, Status::OK));
}

#[tokio::test]
async fn a_session_the_carrier_calls_unbound_is_bound_again() {
    let (listener, address) = listener().await;
    let mut watched = Watched::smpp(quick(address));
    let mut end = End::bound(&listener).await;
    watched.until(|w| w.room > 0).await;
    watched.submit(message(1));
    let submit = end.hear().await;
    end.say(|out| {
        let status = Status::INVALID_BIND_STATUS;
        pdu::put_header(out, CommandId::SubmitSmResp, status, submit.sequence_number);
    })
    .await;
    watched.until(|w| w.waiting.is_empty()).await;
    assert!(matches!(watched.answers[&(MessageId(1), 0)], Outcome::Later { .. }));
    let unbind = end.hear().await;
    assert_eq!(unbind.id, CommandId::Unbind);
    end.say(|out| pdu::put_header(out, CommandId::UnbindResp, Status::OK, unbind.sequence_number)).await;
    assert_eq!(soon(end.hear_or_end()).await, None);
    End::bound(&listener).await;
}

#[tokio::test]
async fn an_unbind_of_the_carrier_is_answered() {
    let (listener, address) = listener().await;
    let mut watched = Watched::smpp(quick(address));
    let mut end = End::bound(&listener).await;
    watched.until(|w| w.room > 0).await;
    watched.submit(message(1));
    end.hear().await;
    end.say(|out| pdu::put_header(out, CommandId::Unbind, Status::OK, 9)).await;
    let answer = end.hear().await;
    assert_eq!((answer.id, answer.sequence_number), (CommandId::UnbindResp, 9));
    watched.until(|w| w.waiting.is_empty()).await;
    assert_eq!(watched.answers[&(MessageId(1), 0)], Outcome::Lost);
    End::bound(&listener).await;
}

#[tokio::test]
async fn answers_to_nothing_and_twice_are_let_pass() {
    let (listener, address) = listener().await;
    let mut watched = Watched::smpp(quick(address));
    let mut end = End::bound(&listener).await;
    watched.until(|w| w.room > 0).await;
    watched.submit(message(1));
    let sequence_number = end.hear().await.sequence_number;
    end.say(|out| {
        pdu::put_submit_resp(out, 999, b"nothing");
        pdu::put_submit_resp(out, sequence_number, b"first");
        pdu::put_submit_resp(out, sequence_number, b"second");
        pdu::put_header(out, CommandId::EnquireLink, Status::OK, 77);
    })
    .await;
    assert_eq!(end.hear().await.id, CommandId::EnquireLinkResp);
    watched.until(|w| w.waiting.is_empty()).await;
    assert_eq!(watched.remote_id(1), "first");
}

#[tokio::test]
async fn pdus_right_behind_the_bind_are_read() {
    let (listener, address) = listener().await;
    let mut watched = Watched::smpp(quick(address));
    let (stream, _) = soon(listener.accept()).await.unwrap();
    let mut end = End { stream, input: Vec::new() };
    let bind = end.hear().await;
    end.say(|out| {
        pdu::put_bind_resp(out, BindKind::Transceiver, Status::OK, bind.sequence_number, b"x");
        pdu::put_header(out, CommandId::EnquireLink, Status::OK, 1);
    })
    .await;
    assert_eq!(end.hear().await.id, CommandId::EnquireLinkResp);
    watched.until(|w| w.room > 0).await;
}
