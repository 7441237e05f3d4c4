//! The API's own description, made from the code: OpenAPI 3.1 at `/api/v1/openapi.json`.

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

use super::routes;
use crate::answers::TreeChanged;

/// Every route, with what it takes and answers.
#[derive(OpenApi)]
#[openapi(
    info(title = "PeerDrive", description = "The daemon on this computer. Errors are application/problem+json; paths are percent-encoded bytes."),
    servers((url = "/api/v1")),
    paths(
        routes::status::status,
        routes::status::if_lost,
        routes::status::devices,
        routes::status::rename,
        routes::status::revoke,
        routes::status::lost,
        routes::status::found,
        routes::policy::show,
        routes::policy::change,
        routes::leave::show,
        routes::leave::change,
        routes::status::invite,
        routes::status::join,
        routes::status::log,
        routes::versions::history,
        routes::versions::restore,
        routes::versions::conflicts,
        routes::versions::resolve,
        routes::versions::whereabouts,
        routes::care::wait,
        routes::care::scrub_state,
        routes::care::start_scrub,
        routes::care::stop_scrub,
        routes::care::doctor,
        routes::contribution::show,
        routes::contribution::change,
        routes::contribution::hours,
        routes::contribution::set_hours,
        routes::keys::show,
        routes::keys::passphrase,
        routes::keys::recovery,
        routes::keys::lock,
        routes::daemon::down,
        routes::entries::list,
        routes::entries::one,
        routes::entries::search,
        routes::entries::at_risk,
        routes::entries::copies,
        routes::entries::make_folder,
        routes::entries::relocate,
        routes::entries::copy,
        routes::entries::delete,
        routes::entries::undelete,
        routes::transfers::download,
        routes::transfers::zip,
        routes::transfers::tar,
        routes::transfers::begin_upload,
        routes::transfers::upload_state,
        routes::transfers::go_on,
        routes::transfers::end_upload,
        routes::panel::storage,
        routes::panel::distribution,
        routes::panel::written,
        routes::panel::qr,
        routes::panel::events,
        routes::sessions::sign_in,
        routes::sessions::list,
        routes::sessions::sign_out,
        routes::sessions::link,
        routes::settings::show,
        routes::settings::change,
        routes::tokens::list,
        routes::tokens::create,
        routes::tokens::revoke
    ),
    components(schemas(TreeChanged)),
)]
struct Described;

pub(super) async fn document() -> Json<Document> {
    Json(Described::openapi())
}
