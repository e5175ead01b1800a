//! A stream of octets from an SMPP peer: cut into frames, read as PDUs, and, where they are written
//! by hand here, written and read again. Nothing panics, nothing reaches beyond what came.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smpp::receipt::Receipt;
use smpp::{CommandId, End, Frames, Pdu, Session};

fuzz_target!(|octets: &[u8]| {
    let (client, server) = (Session::new(End::Esme), Session::new(End::Smsc));
    let mut frames = Frames::new(octets);
    for frame in frames.by_ref().map_while(Result::ok) {
        let id = frame.header.id;
        let _ = (client.judge(id), server.judge(id), frame.header.status.class());
        let Ok(Pdu::Submit(message) | Pdu::Deliver(message) | Pdu::Data(message)) = Pdu::read(&frame) else {
            continue;
        };
        assert!(message.octets().len() <= frame.body.len());
        let _ = Receipt::read(&message);
        if id == CommandId::SubmitSm {
            let mut again = Vec::new();
            message.write(id, frame.header.sequence_number, &mut again);
            let written = Frames::new(&again).next().expect("it is whole").expect("it is of a legal length");
            assert_eq!(Pdu::read(&written), Ok(Pdu::Submit(message)));
        }
    }
    assert!(frames.consumed() <= octets.len());
});
