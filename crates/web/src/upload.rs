//! A CSV file given to a form, or its lines pasted.

use axum::body::Bytes;
use axum::extract::Multipart;

use crate::error::Stop;
use crate::form::Typed;

/// The most bytes of a file: it travels once more with the form that says yes.
const BYTES_MAX: usize = 600_000;

/// The file (`file`), or what was pasted (`rows`). Nothing when it is not there or cannot be read, which is
/// then noted in the form.
pub async fn given(mut multipart: Multipart, typed: &mut Typed) -> Result<Option<String>, Stop> {
    let unreadable = |_| Stop::Refused("The file could not be read, or it is larger than 2 MB.".to_owned());
    let mut file = Bytes::new();
    while let Some(field) = multipart.next_field().await.map_err(unreadable)? {
        let name = field.name().unwrap_or_default().to_owned();
        let content = field.bytes().await.map_err(unreadable)?;
        match &*name {
            "file" => file = content,
            "rows" => typed.set("rows", &String::from_utf8_lossy(&content)),
            _ => {}
        }
    }
    let text = match file.is_empty() {
        true => typed.raw("rows").to_owned(),
        false => match String::from_utf8(file.to_vec()) {
            Ok(text) => text,
            Err(_) => {
                typed.wrong(
                    "file",
                    "This file is not written in UTF-8. In a spreadsheet, save it as “CSV UTF-8”.",
                );
                return Ok(None);
            }
        },
    };
    let text = plain(&text);
    if text.trim().is_empty() {
        typed.wrong("file", "Choose a file, or paste its lines.");
    } else if text.len() > BYTES_MAX {
        typed.wrong("file", "The file is larger than 600 KB. Split it into several.");
    }
    Ok(typed.is_right().then_some(text))
}

/// A text as it is the same after it has travelled through a form, which writes the ends of lines anew.
pub fn plain(text: &str) -> String {
    text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_after_it_has_travelled_through_a_form() {
        let file = "\u{feff}email,owner\r\na@example.com,\"A\nB\"\r";
        let once = plain(file);
        assert_eq!(once, "email,owner\na@example.com,\"A\nB\"\n");
        assert_eq!(plain(&once.replace('\n', "\r\n")), once);
    }
}
