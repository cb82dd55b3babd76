"""`/open311/v2`: stub while it is being written."""

from fastapi import APIRouter

router = APIRouter()
