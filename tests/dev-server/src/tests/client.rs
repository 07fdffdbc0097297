//! A client with one connection per request, so that nothing is shared between the rows of a table.

use std::net::SocketAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;

/// A client of one listener.
pub(crate) struct Client(SocketAddr);

/// A response as a whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    async fn of(response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Client {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self(address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], vec![]).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send("POST", path, &headers, body.to_string().into_bytes()).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let stream = TcpStream::connect(self.0).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = self.request(method, path, headers).body(Full::new(Bytes::from(body)));
        Answer::of(sender.send_request(request.unwrap()).await.unwrap()).await
    }

    /// Posts an empty body with a trailer to `/echo/` over HTTP/2 and returns the echo.
    pub(crate) async fn echo_http2(&self, headers: &[(&str, &str)], trailer: (&'static str, &'static str)) -> Value {
        let stream = TcpStream::connect(self.0).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let trailers =
            HeaderMap::from_iter([(HeaderName::from_static(trailer.0), HeaderValue::from_static(trailer.1))]);
        let body = Empty::<Bytes>::new().with_trailers(std::future::ready(Some(Ok(trailers))));
        let request = self.request("POST", "/echo/", headers).body(Box::pin(body)).unwrap();
        Answer::of(sender.send_request(request).await.unwrap()).await.json()
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> axum::http::request::Builder {
        let uri = format!("http://{}{path}", self.0);
        let mut request = Request::builder().method(method).uri(uri).header("host", "api.example.com");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request
    }
}
