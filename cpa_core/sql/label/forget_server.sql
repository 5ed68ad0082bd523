-- The abilities of this endpoint and model are found out anew.
delete from server_abilities where endpoint = $endpoint and model = $model
