"""Streams over MQTT: a broker passes on what a sender publishes, and keeps header and base for those who come later."""
