//! Between the platform's words and SMPP's: a submission as a `submit_sm`, a status as an outcome,
//! a receipt as a report.

use std::sync::Arc;
use std::time::Duration;

use ::smpp::pdu::ESM_UDH;
use ::smpp::receipt::{MessageState, Receipt};
use ::smpp::{Address, Class, CommandId, ShortMessage, Status};
use domain::delivery_report::ReportState;
use domain::moment::Moment;
use domain::phone_number::PhoneNumber;

use super::Settings;
use crate::{Ack, Outcome, Report, Submission};

/// How long to wait after "too fast"; the pace slows all the others down meanwhile.
const AFTER_THROTTLED: Duration = Duration::from_secs(1);
/// How long to wait after a passing fault or a full queue.
const AFTER_FAULT: Duration = Duration::from_secs(5);
/// The longest message id kept.
const ID_MAX: usize = 255;

/// Appends a submission as a `submit_sm`. `scratch` is for joining header and text.
///
/// The reference that joins segments is the low octet of the message id, so that a segment that is
/// sent again still fits to the others.
///
/// # Errors
/// Why it cannot be said in SMPP.
pub(super) fn put_submit(
    submission: &Submission,
    settings: &Settings,
    sequence_number: u32,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let reference = submission.message.0.to_le_bytes()[0];
    let parts = submission.content.parts(reference, submission.flash);
    let part = parts.get(usize::from(submission.part)).ok_or("the message has no such segment")?;
    let joined = match part.udh.is_empty() {
        true => part.octets.as_slice(),
        false => {
            scratch.clear();
            scratch.extend_from_slice(&part.udh);
            scratch.extend_from_slice(&part.octets);
            scratch.as_slice()
        }
    };
    let (source_ton, source_npi) = settings.source_ton_npi.unwrap_or_else(|| submission.sender.ton_npi());
    let (ton, npi) = settings.destination_ton_npi;
    let recipient = submission.recipient.to_string();
    let validity = validity_period(submission.validity_minutes);
    let message = ShortMessage {
        service_type: settings.service_type.as_bytes(),
        source: Address { ton: source_ton, npi: source_npi, digits: submission.sender.as_str().as_bytes() },
        destination: Address { ton, npi, digits: recipient.as_bytes() },
        esm_class: if part.udh.is_empty() { 0 } else { ESM_UDH },
        validity_period: validity.as_bytes(),
        registered_delivery: 1,
        data_coding: part.data_coding,
        short_message: joined,
        ..ShortMessage::default()
    };
    message.write(CommandId::SubmitSm, sequence_number, out);
    Ok(())
}

/// A span as SMPP writes it relative to now: `YYMMDDhhmmss000R`. Empty, the carrier's own default,
/// for 0. Months count 30 days, and two years are the most.
///
/// Source: SMPP 3.4 section 7.1.1.2.
fn validity_period(minutes: u32) -> String {
    if minutes == 0 {
        return String::new();
    }
    let days = (minutes / 1440).min(720);
    // Carriers read the days as those of a month, so more than 30 must move on to the next.
    let (months, days) = if days > 30 { (days / 30, days % 30) } else { (0, days) };
    let (years, months) = (months / 12, months % 12);
    format!("{years:02}{months:02}{days:02}{:02}{:02}00000R", minutes / 60 % 24, minutes % 60)
}

/// What an answer means for the submission.
pub(super) fn outcome(status: Status, message_id: &[u8]) -> Outcome {
    let later = |after| Outcome::Later { reason: status.to_string(), after };
    match status.class() {
        Class::Taken => Outcome::Taken { remote_id: id_of(message_id) },
        Class::Refused => Outcome::Refused { reason: status.to_string() },
        Class::Throttled if status == Status::QUEUE_FULL => later(AFTER_FAULT),
        Class::Throttled | Class::Rebind => later(AFTER_THROTTLED),
        Class::Retry => later(AFTER_FAULT),
    }
}

/// What a `generic_nack` to a submission means: as its status says, but it never takes anything.
pub(super) fn nacked(status: Status) -> Outcome {
    match status.class() {
        Class::Taken => Outcome::Later { reason: "generic_nack".to_owned(), after: AFTER_FAULT },
        _ => outcome(status, b""),
    }
}

fn id_of(octets: &[u8]) -> String {
    let end = octets.len().min(ID_MAX);
    String::from_utf8_lossy(&octets[..end]).trim().to_owned()
}

/// A receipt as a report; nothing when it does not say which message it is about.
pub(super) fn report(carrier: &Arc<str>, message: &ShortMessage<'_>, ack: Ack) -> Option<Report> {
    let receipt = Receipt::read(message);
    Some(Report {
        carrier: carrier.clone(),
        remote_id: receipt.id?,
        // A receipt comes from where the message went.
        recipient: number_of(message.source.digits),
        state: receipt.state.map_or(ReportState::Unknown, state),
        done_at: receipt.done_at_seconds.filter(|seconds| *seconds > 0).map(Moment::from_seconds),
        error: receipt.error,
        ack,
    })
}

fn number_of(digits: &[u8]) -> Option<PhoneNumber> {
    let digits = digits.strip_prefix(b"+").unwrap_or(digits);
    std::str::from_utf8(digits).ok()?.parse().ok().and_then(PhoneNumber::from_digits)
}

/// A state of SMPP in the platform's words.
pub(crate) fn state(state: MessageState) -> ReportState {
    match state {
        MessageState::Scheduled | MessageState::Accepted => ReportState::Accepted,
        MessageState::Enroute => ReportState::Transmitted,
        MessageState::Buffered => ReportState::Buffered,
        MessageState::Delivered => ReportState::Delivered,
        MessageState::Expired => ReportState::Expired,
        MessageState::Undeliverable | MessageState::Deleted | MessageState::Skipped => {
            ReportState::NotDelivered
        }
        MessageState::Rejected => ReportState::Rejected,
        MessageState::Failed => ReportState::Failed,
        MessageState::Unknown => ReportState::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use ::smpp::{Frames, Pdu};
    use domain::id::MessageId;
    use domain::message::MessageClass;
    use domain::sender_id::SenderId;
    use domain::text::Content;

    use super::*;

    fn submission(text: &str, part: u8) -> Submission {
        Submission {
            message: MessageId(77_000_000_300),
            part,
            content: Arc::new(Content::text(text, false).unwrap()),
            flash: false,
            sender: SenderId::parse("Branch").unwrap(),
            recipient: PhoneNumber::from_digits(4_915_123_456_789).unwrap(),
            validity_minutes: 2880,
            class: MessageClass::Normal,
        }
    }

    #[test]
    fn a_segment_says_which_one_it_is_and_the_same_reference_each_time() {
        let text = "x".repeat(200);
        for part in [0_u8, 1] {
            let mut out = Vec::new();
            let settings = Settings::new("a", "", "", "");
            put_submit(&submission(&text, part), &settings, 9, &mut Vec::new(), &mut out).unwrap();
            let frame = Frames::new(&out).next().unwrap().unwrap();
            let Ok(Pdu::Submit(read)) = Pdu::read(&frame) else { panic!("not a submit_sm") };
            let reference = 77_000_000_300_i64.to_le_bytes()[0];
            assert_eq!(read.short_message[..6], [5, 0, 3, reference, 2, part + 1]);
            assert_eq!(read.esm_class, ESM_UDH);
            assert_eq!(read.validity_period, b"000002000000000R");
            assert_eq!(read.registered_delivery, 1);
            assert_eq!((read.source.ton, read.source.digits), (5, &b"Branch"[..]));
            assert_eq!((read.destination.ton, read.destination.digits), (1, &b"4915123456789"[..]));
        }
        let mut out = Vec::new();
        let missing = submission(&text, 2);
        assert!(put_submit(&missing, &Settings::new("a", "", "", ""), 9, &mut Vec::new(), &mut out).is_err());
        assert!(out.is_empty(), "nothing half written");
    }

    #[test]
    fn a_span_is_written_relative_to_now() {
        #[rustfmt::skip]
        let cases = [
            (0,         ""),
            (1,         "000000000100000R"),
            (2880,      "000002000000000R"),
            (1441,      "000001000100000R"),
            (45 * 1440, "000115000000000R"),
            (u32::MAX,  "020000041500000R"),
        ];
        for (minutes, text) in cases {
            assert_eq!(validity_period(minutes), text);
        }
    }

    #[test]
    fn a_status_becomes_an_outcome() {
        assert_eq!(outcome(Status::OK, b"1a2b"), Outcome::Taken { remote_id: "1a2b".into() });
        assert!(matches!(outcome(Status::THROTTLED, b""), Outcome::Later { .. }));
        assert!(matches!(outcome(Status::INVALID_DESTINATION, b""), Outcome::Refused { .. }));
        assert!(matches!(nacked(Status::OK), Outcome::Later { .. }));
        assert!(matches!(nacked(Status::INVALID_COMMAND_ID), Outcome::Refused { .. }));
    }
}
