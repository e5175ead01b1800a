//! Cursors: where the next part of a list begins. To clients they are opaque; they are bound to the
//! account and to everything that was asked for, so that one that was changed, or is used elsewhere,
//! is refused and never gives a wrong list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::asked::Asked;
use super::problem::Problem;

/// Octets of the seal.
const SEAL: usize = 16;
/// The longest cursor that is read.
const LENGTH_MAX: usize = 2048;
/// Parameters that may differ from one part of a list to the next.
const FREE: [&str; 2] = ["cursor", "limit"];

/// A cursor for a position in the list that is asked for.
pub fn write(asked: &Asked, position: &str) -> String {
    let mut octets = seal(asked, position);
    octets.extend_from_slice(position.as_bytes());
    URL_SAFE_NO_PAD.encode(octets)
}

/// The position of a cursor.
///
/// # Errors
/// A field that is wrong: the cursor is not of this list.
pub fn read(asked: &Asked, cursor: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let refused = || {
        let reason = "it is not a cursor of this list; give the next_cursor of an answer unchanged, with the same \
                      other parameters, or none to begin at the start";
        Problem::field("cursor", reason)
    };
    let octets = (cursor.len() <= LENGTH_MAX).then(|| URL_SAFE_NO_PAD.decode(cursor).ok()).flatten();
    let octets = octets.filter(|octets| octets.len() >= SEAL).ok_or_else(refused)?;
    let (sealed, position) = octets.split_at(SEAL);
    let position = str::from_utf8(position).map_err(|_| refused())?;
    let mac = mac(asked, position);
    mac.verify_truncated_left(sealed).map_err(|_| refused())?;
    Ok(Some(position.to_owned()))
}

fn seal(asked: &Asked, position: &str) -> Vec<u8> {
    mac(asked, position).finalize().into_bytes()[..SEAL].to_vec()
}

/// Keyed by a secret that the account has anyway and shows nobody; another account has another.
fn mac(asked: &Asked, position: &str) -> Hmac<Sha256> {
    let secret = asked.account.settings.signing_key.as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    let query = asked.uri.query().unwrap_or("");
    let mut pairs: Vec<&str> =
        query.split('&').filter(|pair| !FREE.contains(&pair.split('=').next().unwrap_or(""))).collect();
    pairs.sort_unstable();
    for part in ["cursor of /v1", &asked.account.id.to_string(), asked.uri.path(), &pairs.join("&"), position]
    {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac
}
