//! The ready configurations under `envoy/`, word for word, each in a real Envoy.

mod education_data_platform;
mod student_data_api;
