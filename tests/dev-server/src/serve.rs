//! One listener: HTTP/1.1 and HTTP/2 with prior knowledge, until it is told to stop.
//!
//! Not `axum::serve`, whose limits on heads cannot be set: what the gateway lets through has to show
//! here, not as a 431 of this server.

use std::time::Duration;

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Well above the 60 KiB that Envoy accepts by default.
const HEAD_BYTES_MAX: u32 = 1024 * 1024;
/// Envoy accepts 100 unless told otherwise.
const HEADERS_MAX: usize = 2000;
/// A pause after a failed accept, which mostly means that no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stopped` is true or its sender is gone, then lets open requests finish.
pub(crate) async fn serve(listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().max_headers(HEADERS_MAX);
    builder.http2().max_header_list_size(HEAD_BYTES_MAX);
    let open = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            stream = accept(&listener) => stream,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = open.watch(connection);
        tokio::spawn(async move {
            // A connection that breaks is the business of the peer.
            let _ = connection.await;
        });
    }
    drop(listener);
    open.shutdown().await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Small answers leave at once; without it they are only later.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}
