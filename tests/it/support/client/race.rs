//! Many requests at once, over connections that are all open before the first request goes.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use http_body_util::combinators::BoxBody;
use hyper::client::conn::{http1, http2};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{
    Bytes, Client, Driver, Infallible, Protocol, REQUEST_TIMEOUT, RUNTIME, Request, RequestBuilder, Response,
    TcpStream, TokioExecutor, TokioIo,
};

/// Sends all requests at once, in turn over so many connections: one after the other on each connection of HTTP/1.1, all
/// together on each of HTTP/2. The responses come in no particular order.
#[track_caller]
pub fn race(connections: usize, requests: Vec<RequestBuilder>) -> Vec<Response> {
    lanes(connections, requests).into_iter().flatten().collect()
}

/// Sends all requests over so many connections of HTTP/1.1. The responses come in the order of the requests.
#[track_caller]
pub fn in_turn(connections: usize, requests: Vec<RequestBuilder>) -> Vec<Response> {
    let count = requests.len();
    let mut lanes: Vec<_> = lanes(connections, requests).into_iter().map(Vec::into_iter).collect();
    (0..count).map(|nth| lanes[nth % connections].next().expect("a response for each request")).collect()
}

/// The responses of each connection.
#[track_caller]
fn lanes(connections: usize, requests: Vec<RequestBuilder>) -> Vec<Vec<Response>> {
    let client = requests.first().expect("a race has a request").client;
    let mut lanes: Vec<Vec<Request<BoxBody<Bytes, Infallible>>>> = (0..connections).map(|_| Vec::new()).collect();
    for (nth, request) in requests.into_iter().enumerate() {
        lanes[nth % connections].push(request.request);
    }
    let start = Arc::new(Barrier::new(connections));
    let responses = RUNTIME.block_on(async {
        let tasks: Vec<_> = lanes.into_iter().map(|lane| tokio::spawn(run(client, lane, Arc::clone(&start)))).collect();
        let all = async {
            let mut responses = Vec::new();
            for task in tasks {
                responses.push(task.await.expect("a connection does not panic"));
            }
            responses
        };
        tokio::time::timeout(REQUEST_TIMEOUT, all).await.expect("the race ends in time")
    });
    let lane = |lane: Result<_, String>| lane.unwrap_or_else(|error| panic!("a connection of a race: {error}"));
    responses.into_iter().map(lane).collect()
}

async fn run(
    client: Client,
    lane: Vec<Request<BoxBody<Bytes, Infallible>>>,
    start: Arc<Barrier>,
) -> Result<Vec<Response>, String> {
    let stream = TcpStream::connect(client.address).await.map_err(text)?;
    stream.set_nodelay(true).map_err(text)?;
    let io = TokioIo::new(stream);
    let mut responses = Vec::new();
    match client.protocol {
        Protocol::Http1 => {
            let (mut sender, connection) = http1::handshake(io).await.map_err(text)?;
            let _driver = Driver(tokio::spawn(async move { drop(connection.await) }));
            start.wait().await;
            for request in lane {
                sender.ready().await.map_err(text)?;
                responses.push(whole(sender.send_request(request).await).await?);
            }
        }
        Protocol::Http2 => {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.map_err(text)?;
            let _driver = Driver(tokio::spawn(async move { drop(connection.await) }));
            start.wait().await;
            let mut streams = JoinSet::new();
            for request in lane {
                let mut sender = sender.clone();
                streams.spawn(async move {
                    sender.ready().await.map_err(text)?;
                    whole(sender.send_request(request).await).await
                });
            }
            for response in streams.join_all().await {
                responses.push(response?);
            }
        }
    }
    Ok(responses)
}

async fn whole(response: hyper::Result<http::Response<hyper::body::Incoming>>) -> Result<Response, String> {
    let (head, body) = response.map_err(text)?.into_parts();
    let body = body.collect().await.map_err(text)?;
    let trailers = body.trailers().cloned();
    Ok(Response { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes(), trailers })
}

fn text(error: impl std::error::Error) -> String {
    format!("{error} ({error:?})")
}
