-- What is known of a server stood under its address with user and password, where that had some: it is found out again.
delete from server_abilities where contains(endpoint, '@');
