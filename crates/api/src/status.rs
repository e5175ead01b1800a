//! `/api/status`: what became of messages.

use std::borrow::Cow;
use std::collections::HashMap;

use axum::extract::State;
use axum::response::Response;
use domain::id::MessageId;
use domain::key::Scope;
use serde::Serialize;
use storage::journal::{self, Fate};

use crate::Api;
use crate::call::{Asked, Call, Reply};
use crate::dates::millis;
use crate::error::{ApiError, Code};
use crate::parameters::whole;

/// Ids that one request may ask for.
const IDS_MAX: usize = 1000;

/// The word on one message.
#[derive(Serialize)]
struct Status<'a> {
    id: Cow<'a, str>,
    status: Option<&'static str>,
    status_time: Option<String>,
}

/// `GET /api/status`: the word on each id of `msg_id`, in the order they were asked for.
pub async fn read(State(api): State<Api>, call: Call) -> Response {
    match call.open(&api, "status", Scope::Status).await {
        Ok(asked) => asked.answer(status(&asked).await),
        Err(refused) => *refused,
    }
}

async fn status(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let given = asked.parameters.list("msg_id");
    if given.len() > IDS_MAX {
        let text =
            format!("the parameter 'msg_id' names {} ids; ask for at most {IDS_MAX} at once", given.len());
        return Err(ApiError::code(Code::PARAMETER, text));
    }
    let ids: Vec<Option<MessageId>> = given.iter().map(|id| whole(id).map(MessageId)).collect();
    let known: Vec<i64> = ids.iter().flatten().map(|id| id.0).collect();
    let gateway = &asked.api.gateway;
    let fates = journal::fates(&mut *gateway.db.read().await?, asked.caller.account.id, &known).await?;
    let fates: HashMap<MessageId, Fate> = fates.into_iter().map(|fate| (fate.id, fate)).collect();
    let fate = |id: &Option<MessageId>| id.and_then(|id| fates.get(&id));
    let zone = &gateway.rules.time_zone;
    if asked.json {
        let status = |(given, id): (_, &Option<MessageId>)| {
            let word = fate(id).and_then(Fate::word);
            Status {
                // As the id is written, however it was asked for: some clients write exponents.
                id: id.map_or(Cow::Borrowed(given), |id| Cow::Owned(id.to_string())),
                status: word.map(|(w, _)| w.as_str()),
                status_time: word.map(|(_, at)| millis(at, zone)),
            }
        };
        let all: Vec<Status<'_>> = given.iter().map(AsRef::as_ref).zip(&ids).map(status).collect();
        return Ok(Reply::json(&all));
    }
    let mut lines = Vec::with_capacity(given.len() * 2);
    for id in &ids {
        let fate = fate(id).ok_or_else(unknown)?;
        // The text form has no way to say "no word yet", and clients read the second line as a time.
        let (word, at) = fate.word().map_or(("ACCEPTED", fate.created_at), |(word, at)| (word.as_str(), at));
        lines.extend([word.to_owned(), millis(at, zone)]);
    }
    if lines.is_empty() {
        return Err(unknown());
    }
    Ok(Reply::text(lines.join("\n")))
}

fn unknown() -> ApiError {
    ApiError::code(Code::SENDING, "there is no message with this id")
}
