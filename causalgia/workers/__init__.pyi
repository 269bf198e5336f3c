from .clusters import (
    check_client as check_client,
    connected as connected,
    local_cluster as local_cluster,
)
from .pieces import mapped as mapped
