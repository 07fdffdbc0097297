//! The neighbours of hallpass in the local stack: an authorization server and, behind the gateway, the
//! statistics API, the Student Data API and the data of the districts.
//!
//! Two listeners, each speaking HTTP/1.1 and HTTP/2 with prior knowledge. One JSON line on stdout names
//! their addresses once both accept; one line per request to the API goes to stderr. Everything is in
//! memory, and `/dev/...` on the listener of the authorization server steers it from tests, so that this
//! is for development only and belongs on a loopback address.

mod auth;
mod body;
mod claim_list;
mod districts;
mod echo;
mod endpoints;
mod fault;
mod keys;
mod name;
mod problem;
mod record;
mod serve;
mod stats;
mod students;
#[cfg(test)]
mod tests;
mod token;
mod vendors;

use std::{
    env, error::Error, ffi::OsString, fs, io::Write as _, path::PathBuf, process::ExitCode, sync::Arc, time::Duration,
};

use axum::Router;
use clap::Parser;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    auth::{AuthServer, Settings},
    districts::Districts,
    keys::{SigningAlg, SigningKey},
    record::Record,
    serve::serve,
    stats::Dataset,
    students::Students,
    vendors::{TokenSecret, Vendors},
};

/// How long open requests may take to finish after SIGTERM.
const DRAIN: Duration = Duration::from_secs(5);

/// The neighbours of hallpass in the local stack. Development only.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Address of the authorization server; port 0 lets the system choose
    #[arg(long, default_value = "127.0.0.1:0")]
    auth_addr: String,
    /// Address of the data APIs, the upstream of the gateway
    #[arg(long, default_value = "127.0.0.1:0")]
    api_addr: String,
    /// Issuer of the tokens, the `iss` claim
    #[arg(long, default_value = "https://auth.example.com/")]
    issuer: String,
    /// Audience that a client may ask for; without it tokens carry no `aud`
    #[arg(long)]
    audience: Option<String>,
    /// Attendance data in JSON; without it a small built-in set
    #[arg(long)]
    data: Option<PathBuf>,
    /// Lifetime of a token in seconds
    #[arg(long, default_value_t = 3600)]
    token_lifetime: u64,
    /// Algorithm of the first signing key
    #[arg(long, value_enum, ignore_case = true, default_value = "RS256")]
    alg: SigningAlg,
    /// `max-age` of the key set in seconds
    #[arg(long, default_value_t = 60)]
    jwks_max_age: u64,
    /// File with the secret of permission tokens, 64 bytes or more; without it `PJWT_SECRET` of the environment,
    /// and without that a public one for development
    #[arg(long)]
    pjwt_secret_file: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dev-server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let dataset = match &args.data {
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
            Dataset::parse(&text)?
        }
        None => Dataset::built_in()?,
    };
    let record = Arc::new(Record::default());
    let settings = Settings {
        issuer: args.issuer,
        audience: args.audience,
        token_lifetime_s: args.token_lifetime,
        jwks_max_age_s: args.jwks_max_age,
    };
    let environment = env::var_os("PJWT_SECRET").map(OsString::into_encoded_bytes);
    let secret = TokenSecret::choose(args.pjwt_secret_file.as_deref(), environment)?;
    let vendors = Vendors::built_in(secret)?;
    let districts = Districts::built_in()?;

    // The handlers stand before the ready line, so that a signal sent on seeing it is not lost.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let auth_listener = TcpListener::bind(&args.auth_addr).await?;
    let api_listener = TcpListener::bind(&args.api_addr).await?;
    let endpoints = endpoints::router(auth_listener.local_addr()?, api_listener.local_addr()?);
    let (of_vendors, of_districts) = (Arc::clone(&vendors), Arc::clone(&districts));
    let students = Students::built_in()?;
    let api = api_router(dataset, students, of_vendors, of_districts, endpoints.clone(), Arc::clone(&record));
    let server = AuthServer::new(settings, SigningKey::first(args.alg)?, record, vendors, districts);
    let auth = auth::router(server).merge(endpoints);
    announce(&auth_listener, &api_listener)?;

    let (stop, stopped) = watch::channel(false);
    let auth = tokio::spawn(serve(auth_listener, auth, stopped.clone()));
    let api = tokio::spawn(serve(api_listener, api, stopped));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stop.send_replace(true);
    // What is still open after that time is cut when the process ends.
    let _ = tokio::time::timeout(DRAIN, async { tokio::join!(auth, api) }).await;
    Ok(())
}

/// Prints the line that a test or a script waits for.
fn announce(auth: &TcpListener, api: &TcpListener) -> Result<(), Box<dyn Error>> {
    let ready = serde_json::json!({"auth": auth.local_addr()?, "api": api.local_addr()?});
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{ready}")?;
    stdout.flush()?;
    Ok(())
}

/// Everything behind the gateway. Another data API is one more `merge`; the layer sees them all.
fn api_router(
    dataset: Dataset,
    students: Students,
    vendors: Arc<Vendors>,
    districts: Arc<Districts>,
    endpoints: Router,
    record: Arc<Record>,
) -> Router {
    Router::new()
        .merge(stats::router(dataset))
        .merge(students::router(students, vendors))
        .merge(districts::api::router(districts))
        .merge(echo::router())
        .merge(endpoints)
        .layer(axum::middleware::from_fn_with_state(record, record::observe))
}
