//! The simulated SMSC against a client somebody else wrote: PyPI `smpplib`, version 2.2.4. The
//! `./test` script installs it; `PYTHON` names the interpreter that has it, `python3` otherwise.

#![allow(clippy::unwrap_used, reason = "in a test, a failure is what it is for")]

mod bench;

use std::process::Stdio;
use std::sync::atomic::Ordering::Relaxed;

use bench::{Smsc, soon};
use carriers::smsc::Settings;
use tokio::process::Command;

/// Binds, submits texts long and short in all alphabets, and waits for as many answers and
/// receipts, each receipt about an id that was given.
const CLIENT: &str = r#"
import sys, smpplib.client, smpplib.consts, smpplib.gsm, smpplib.exceptions
client = smpplib.client.Client("127.0.0.1", int(sys.argv[1]), timeout=10)
ids, receipts, errors = [], [], []
def answered(pdu):
    if not pdu.is_error():
        ids.append(pdu.message_id.decode())
def delivered(pdu):
    receipts.append((pdu.receipted_message_id.rstrip(b"\0").decode(), pdu.short_message.decode()))
    return 0
def failed(pdu):
    errors.append(pdu.status)
client.set_message_sent_handler(answered)
client.set_message_received_handler(delivered)
client.set_error_pdu_handler(failed)
client.connect()
client.bind_transceiver(system_id="python", password="secret")
sent = 0
for n in range(50):
    for text in ["Hello", "Grüße für 5 €", "Привет", "x" * 300]:
        parts, coding, kind = smpplib.gsm.make_parts("%d %s" % (n, text))
        for part in parts:
            client.send_message(source_addr_ton=5, source_addr_npi=0, source_addr="Python",
                dest_addr_ton=1, dest_addr_npi=1, destination_addr="4915100%06d" % n, short_message=part,
                data_coding=coding, esm_class=kind, registered_delivery=True)
            sent += 1
client.send_message(source_addr_ton=5, source_addr_npi=0, source_addr="Python", dest_addr_ton=1,
    dest_addr_npi=1, destination_addr="4915100099901", short_message=b"refused", registered_delivery=True)
while len(ids) < sent or len(receipts) < sent or not errors:
    client.read_once()
assert len(set(ids)) == sent == len(ids), (len(set(ids)), sent)
assert sorted(ids) == sorted(id for id, text in receipts)
assert all("id:%s " % id in text and "stat:DELIVRD" in text for id, text in receipts), receipts[0]
assert errors == [11], errors
client.unbind()
client.disconnect()
print(sent)
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_somebody_else_wrote_is_served() {
    let settings = Settings { password: Some("secret".to_owned()), record: true, ..Settings::default() };
    let smsc = Smsc::start(settings).await;
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let client = Command::new(&python)
        .args(["-c", CLIENT, &smsc.address.port().to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = soon(client).await.expect("python3 is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !errors.contains("No module named"),
        "{python} has no smpplib: run ./test, or `pip install smpplib==2.2.4` and set PYTHON"
    );
    assert!(output.status.success(), "{errors}");
    let sent: u64 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
    let stats = &smsc.settings.stats;
    assert_eq!(stats.submits.load(Relaxed), sent);
    assert_eq!(stats.receipts_acked.load(Relaxed), sent);
    assert_eq!(stats.nonsense.load(Relaxed), 0);
    assert!(stats.recorded().iter().any(|s| s.octets == b"0 Hello" && s.sender == "Python"));
}
