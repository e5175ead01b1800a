//! `/v1/audit`: who did what to an account.

use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::audit::{Entry, Filter};
use utoipa::{IntoParams, ToSchema};

use super::asked::Asked;
use super::cursor;
use super::problem::Problem;
use super::values::{Asking, Page, Time, limit};

/// Something that was done to the account.
#[derive(Serialize, ToSchema)]
pub struct AuditEntry {
    /// Its number; later ones have greater numbers.
    #[schema(example = 5120)]
    id: i64,
    /// When.
    created_at: Time,
    /// What, as noun and verb.
    #[schema(example = "key.create")]
    action: String,
    /// To which of the account's things.
    #[schema(example = "key 412 (shop)")]
    subject: String,
    /// Who.
    actor: AuditActor,
    /// The fields that changed as they were; null where there were none.
    #[schema(value_type = Option<Object>, example = json!({ "state": "active" }))]
    before: Option<Value>,
    /// And as they are now; null where there are none.
    #[schema(value_type = Option<Object>, example = json!({ "state": "suspended" }))]
    after: Option<Value>,
}

/// Who did it.
#[derive(Serialize, ToSchema)]
pub struct AuditActor {
    /// `person`, `key`, `command line` or `operator` (who runs the installation), or `rule` (of the platform).
    #[schema(example = "key")]
    kind: &'static str,
    /// The number of the login or the key; null where there is none.
    #[schema(example = 412)]
    id: Option<i64>,
    /// What they are known by.
    #[schema(example = "key 412 (shop)")]
    name: String,
    /// The account above that they came from; null for those of the account itself.
    #[schema(example = 1900001)]
    above: Option<i64>,
    /// The network address they called from; empty where there is none.
    #[schema(example = "203.0.113.7")]
    address: String,
    /// The program they called with; empty where it did not say.
    #[schema(example = "curl/8.5.0")]
    agent: String,
}

impl AuditEntry {
    fn of(entry: Entry) -> AuditEntry {
        let object = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        AuditEntry {
            id: entry.id,
            created_at: Time(entry.at),
            action: entry.action,
            subject: entry.subject,
            actor: AuditActor {
                kind: entry.actor.kind.as_str(),
                id: entry.actor.id,
                name: entry.actor.name,
                above: entry.actor.above.map(|id| id.0),
                address: entry.actor.address,
                agent: entry.actor.agent,
            },
            before: object(entry.before),
            after: object(entry.after),
        }
    }
}

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Done at this time or later.
    from: Option<Time>,
    /// Done earlier than this.
    before: Option<Time>,
    /// With an action that begins so: `key.` or `key.create`.
    #[param(example = "key.")]
    action: Option<String>,
    /// By somebody whose name holds this, whatever its case.
    #[param(example = "shop")]
    actor: Option<String>,
    /// Only what was done from above.
    #[serde(default)]
    from_above: bool,
    /// How many: 1 to 500.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the part before.
    cursor: Option<String>,
}

/// Read the audit log
///
/// Who did what to the account, the newest first: its own people and keys, those from above, the
/// operator, and rules. The log is only ever added to; the database itself refuses all else.
#[utoipa::path(
    get,
    path = "/v1/audit",
    operation_id = "readAudit",
    tag = "Audit",
    params(Which),
    responses((status = 200, description = "A part of the log.", body = Page<AuditEntry>))
)]
pub async fn read(asked: Asked, Asking(which): Asking<Which>) -> Result<Json<Page<AuditEntry>>, Problem> {
    let limit = limit(which.limit)?;
    let before = cursor::read(&asked, which.cursor.as_deref())?.and_then(|at| at.parse().ok());
    let filter = Filter {
        from: which.from.map(|at| at.0),
        before: which.before.map(|at| at.0),
        action: which.action,
        actor: which.actor,
        from_above: which.from_above,
    };
    let mut conn = asked.gateway().db.read().await?;
    let mut all =
        storage::audit::page(&mut conn, asked.account.id, &filter, before, limit as i64 + 1).await?;
    let more = all.len() > limit;
    all.truncate(limit);
    let next_cursor = all.last().filter(|_| more).map(|last| cursor::write(&asked, &last.id.to_string()));
    Ok(Json(Page { items: all.into_iter().map(AuditEntry::of).collect(), next_cursor }))
}
